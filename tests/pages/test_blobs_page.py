"""The pages of blobs in a real browser: stored, found by a prefix, looked into, deleted."""

import re
import zipfile
from urllib.parse import quote

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests.pages.conftest import OpenPage, SignUp, Watch, from_menu


def payload(name: str, data: bytes) -> FilePayload:
    return {"name": name, "mimeType": "text/plain", "buffer": data}


def test_blobs_are_stored_found_shown_and_deleted(kept_page: Page, sign_up: SignUp) -> None:
    page = kept_page
    sign_up(page)
    page.goto("/blobs")
    expect(page.get_by_text("Nothing here yet.")).to_be_visible()
    page.get_by_label("Ids begin with", exact=True).fill("backups/'x/")
    large = payload("large.bin", b"x" * 300_000)
    page.get_by_label("Choose files").set_input_files([payload("a b.txt", b"<what>"), large])
    rows = page.get_by_role("region", name="Your blobs").get_by_role("listitem")
    expect(rows).to_have_count(2)
    assert page.request.get("/v1/blobs/backups%2F%27x%2Fa%20b.txt/content").body() == b"<what>"

    assert page.request.put("/v1/blobs/other/content", data=b"x").ok
    page.reload()
    expect(rows).to_have_count(3)
    page.get_by_label("Ids that begin with").press_sequentially("back")
    expect(rows).to_have_count(2)
    page.get_by_role("link", name="backups/'x/a b.txt", exact=True).click()
    expect(page.get_by_role("region", name="All of")).to_have_text("<what>")
    expect(page.get_by_text("curl -OJ")).to_contain_text("backups%2F%27x%2Fa%20b.txt/content")
    page.go_back()
    expect(rows).to_have_count(2)
    page.once("dialog", lambda dialog: dialog.accept())
    from_menu(page, "Delete backups/'x/a b.txt", "backups/'x/a b.txt").click()
    expect(rows).to_have_count(1)
    assert page.request.get("/v1/blobs/backups%2F%27x%2Fa%20b.txt/content").status == 404


def test_several_are_selected_and_taken_together(kept_page: Page, sign_up: SignUp) -> None:
    page = kept_page
    sign_up(page)
    for name in ("a/1", "a/2", "b", "c"):
        assert page.request.put(f"/v1/blobs/{quote(name, safe='')}/content", data=name).ok
    page.goto("/blobs")
    bar = page.get_by_role("form", name="Selected blobs")
    page.get_by_label("Select a/2").check(force=True)
    page.get_by_label("Select a/1").click(force=True, modifiers=["Shift"])
    with page.expect_download() as download:
        bar.get_by_role("button", name="Download").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == {
            "a/2": b"a/2",
            "a/1": b"a/1",
        }
    bar.get_by_role("button", name="One link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("2 blobs")
    page.goto("/blobs")
    rows = page.get_by_role("region", name="Your blobs").get_by_role("listitem")
    page.get_by_label("Sort blobs by").select_option("By id")
    expect(rows.first).to_contain_text("a/1")
    page.get_by_label("Select b").check(force=True)
    bar.get_by_role("button", name="Select all").click()
    page.once("dialog", lambda dialog: dialog.accept())
    bar.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Nothing here yet.")).to_be_visible()
    assert page.request.get("/v1/blobs").json()["items"] == []


@pytest.mark.slow
def test_without_scripts_a_blob_is_stored(
    open_page: OpenPage, sign_up: SignUp, watch: Watch
) -> None:
    page = open_page(java_script_enabled=False)
    sign_up(page)
    page.goto("/blobs")
    page.get_by_label("Ids begin with", exact=True).fill("notes/")
    page.get_by_label("Choose files").set_input_files([payload("a.txt", b"text")])
    page.get_by_role("button", name="Store").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("notes/a.txt")
    expect(page.get_by_role("region", name="All of")).to_have_text("text")
    page.get_by_role("link", name="All blobs").click()
    page.get_by_label("Ids that begin with").fill("nothing")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_text("No id begins with “nothing”.")).to_be_visible()
    page.goto("/blobs/show?id=nothing")
    expect(page.get_by_role("heading")).to_have_text(re.compile("no such|not found", re.IGNORECASE))
    watch.expect_status(404)
