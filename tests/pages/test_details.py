"""The pages with all about a file, a bundle or a link, in a real browser."""

import hashlib
import re

from playwright.sync_api import FilePayload, Page, expect

from tests.pages.conftest import SignUp, from_menu


def test_a_file_has_a_page_with_its_links(kept_page: Page, sign_up: SignUp) -> None:
    page = kept_page
    sign_up(page)
    for name in ("other.txt", "one.txt"):
        sent = page.request.put(f"/v1/send/{name}?max_downloads=3", data=b"<what>")
        assert sent.ok
    file = page.request.get("/v1/files").json()["items"][0]
    link = page.request.post("/v1/timelinks", data={"kind": "file", "id": file["id"], "time": 600})
    assert link.ok
    page.goto("/file/load")
    from_menu(page, "Details of one.txt", "one.txt").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("one.txt")
    facts = page.locator(".facts")
    expect(facts).to_contain_text(hashlib.sha256(b"<what>").hexdigest())
    expect(facts).to_contain_text("0 of 3 downloads")
    expect(page.get_by_role("region", name="All of one.txt")).to_have_text("<what>")
    links = page.get_by_role("region", name="Links to it").get_by_role("listitem")
    expect(links).to_have_count(2)

    links.first.get_by_role("link", name="/t/").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Link to one.txt")
    expect(page.locator(".facts")).to_contain_text(link.json()["url"])
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Revoke").click()
    expect(page).to_have_url(re.compile("/links$"))
    page.get_by_role("link", name="one.txt", exact=True).click()
    expect(links).to_have_count(1)

    page.get_by_role("button", name="Change", exact=True).click()
    dialog = page.get_by_role("dialog", name="Change one.txt")
    dialog.get_by_label("Name").fill("two.txt")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("two.txt")
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete").click()
    expect(page).to_have_url(re.compile("/file/load$"))
    (left,) = page.request.get("/v1/files").json()["items"]
    assert left["name"] == "other.txt"


def test_a_bundle_has_a_page_with_its_members(kept_page: Page, sign_up: SignUp) -> None:
    page = kept_page
    sign_up(page)
    bundle = page.request.post("/v1/bundles", data={"name": "Holiday", "expires_in": 0}).json()
    items = f"/v1/bundles/{bundle['id']}/items"
    file = FilePayload(name="a.txt", mimeType="text/plain", buffer=b"text")
    assert page.request.post(items, multipart={"file": file}).ok
    page.goto("/file/load")
    page.get_by_role("link", name="Holiday", exact=True).click()  # it has no link to show instead
    expect(page.locator(".facts")).to_contain_text("1 file, and more may be added")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download a.txt").click()
    assert download.value.path().read_bytes() == b"text"
    with page.expect_download() as download:
        page.get_by_role("link", name="Download", exact=True).click()
    assert download.value.suggested_filename == "Holiday.zip"
