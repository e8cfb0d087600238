"""The page of links, and the public page with scripts, in a real browser."""

import re
from typing import Any

import pytest
from playwright.sync_api import Dialog, FilePayload, Locator, Page, expect

from tests.pages.conftest import (
    ADMIN,
    LAPTOP,
    PASSWORD,
    PHONE,
    OpenPage,
    SignUp,
    Watch,
    fits,
    from_menu,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def person(page: Page, sign_up: SignUp) -> Page:
    """A page of somebody who has just signed up."""
    sign_up(page)
    return page


def send(page: Page, name: str = "report.txt") -> Any:  # noqa: ANN401 - JSON
    """Send a file that is kept: it has no link of its own."""
    file = FilePayload(name=name, mimeType="text/plain", buffer=b"what it says")
    answer = page.context.request.post("/v1/files", multipart={"file": file, "expires_in": "0"})
    assert answer.status == 201, answer.text()
    return answer.json()


def link_to(page: Page, file: Any, **options: Any) -> Any:  # noqa: ANN401 - JSON
    body = {"kind": "file", "id": file["id"], "time": 3600} | options
    answer = page.context.request.post("/v1/timelinks", data=body)
    assert answer.status == 201, answer.text()
    return answer.json()


def row(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name="links").get_by_role("listitem").filter(has_text=name)


@pytest.mark.parametrize("viewport", [PHONE, LAPTOP])
def test_a_link_is_made_and_opened_elsewhere(
    person: Page,
    open_page: OpenPage,
    viewport: Any,  # noqa: ANN401 - sizes
) -> None:
    person.set_viewport_size(viewport)
    file = send(person)
    person.goto(f"/links?kind=file&id={file['id']}")
    expect(person.get_by_label("Id or name")).to_have_value(file["id"])
    expect(person.get_by_text("report.txt, 12 bytes")).to_be_visible()
    person.get_by_label("Expires after", exact=True).select_option("3 hours")
    person.get_by_label("Downloads").fill("2")
    person.get_by_label("Password").fill("sesame")
    assert fits(person)
    person.keyboard.press("Enter")

    made = person.get_by_role("region", name="The link to report.txt is ready")
    expect(made.get_by_role("heading")).to_be_focused()
    code = made.get_by_role("img", name="QR code of the link")
    expect(code).to_have_js_property("complete", value=True)
    assert code.evaluate("image => image.naturalWidth") > 0
    url = made.get_by_role("link").get_attribute("href")
    assert url is not None
    expect(row(person, "report.txt")).to_contain_text("password")
    expect(row(person, "report.txt")).to_contain_text("used 0 of 2")
    assert fits(person)

    stranger = open_page(viewport=viewport)
    stranger.goto(url)
    stranger.get_by_label("Password").fill("sesame")
    with stranger.expect_download():
        stranger.keyboard.press("Enter")
    person.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(row(person, "report.txt")).to_contain_text("used 1 of 2")


def test_without_scripts_a_link_is_made_and_no_url_holds_its_password(
    open_page: OpenPage, sign_up: SignUp, watch: Watch
) -> None:
    page = open_page(java_script_enabled=False)
    asked_for: list[str] = []
    page.on("request", lambda request: asked_for.append(request.url))
    sign_up(page)
    file = send(page)
    page.goto("/links?kind=file&id=nope")
    page.get_by_label("Expires after", exact=True).select_option("3 hours")
    page.get_by_label("Downloads").fill("2")
    page.get_by_label("Password").fill("sesame")
    page.get_by_role("button", name="Make the link").click()
    watch.expect_status(404)
    expect(page.get_by_role("alert")).to_have_text("No such file")
    expect(page.get_by_label("Id or name")).to_have_value("nope")
    expect(page.get_by_label("Downloads")).to_have_value("2")
    expect(page.get_by_label("Password")).to_have_value("")

    newest = send(page)
    page.get_by_label("Id or name").fill("report.txt")
    page.get_by_label("Password").fill("sesame")
    page.get_by_role("button", name="Make the link").click()
    made = page.get_by_role("region", name="The link to report.txt is ready")
    expect(made.get_by_role("link")).to_have_attribute("href", re.compile("/t/"))
    expect(row(page, "report.txt")).to_contain_text("used 0 of 2")
    (link,) = page.request.get("/v1/timelinks").json()["items"]
    assert (link["has_password"], link["time"]) == (True, 3 * 3600)
    assert link["target"] == newest["id"] != file["id"]
    assert asked_for
    assert not [url for url in asked_for if "sesame" in url]


def test_what_a_link_is_to_lead_to_is_suggested_by_kind(person: Page) -> None:
    kept = person.context.request.put("/v1/blobs/a%2Fblob/content", data=b"x")
    assert kept.ok
    send(person, "notes.txt")
    person.goto("/links")
    person.get_by_text("Make a link").click()
    which, options = person.get_by_label("Id or name"), person.locator("#things option")
    which.focus()
    expect(options).to_have_count(1)
    expect(options).to_have_attribute("value", "notes.txt")
    expect(options).to_have_text(re.compile(r"^notes\.txt, 12 bytes, "))
    person.get_by_label("Link to").select_option("blob")
    expect(options).to_have_attribute("value", "a/blob")
    which.fill("a/blob")
    expect(person.locator("#target-name")).to_have_text(re.compile("^a/blob, 1 byte, "))
    person.get_by_role("button", name="Make the link").click()
    expect(row(person, "a/blob")).to_contain_text("blob")


def test_a_link_that_can_not_be_made_says_why(person: Page, watch: Watch) -> None:
    person.goto("/links?kind=file&id=somebody-elses")
    expect(person.get_by_role("alert").first).to_have_text("This file no longer exists.")
    # this tier has no links to pictures
    expect(person.locator("#kind option[value=picture]")).to_have_attribute("disabled", "")
    person.get_by_role("button", name="Make the link").click()
    expect(person.locator("#wrong")).to_have_text("No such file")
    watch.expect_status(404)


def test_a_link_is_copied_shown_as_a_code_and_revoked(person: Page, watch: Watch) -> None:
    file = send(person)
    link, other = link_to(person, file), link_to(person, send(person, "other.txt"))
    person.context.grant_permissions(["clipboard-read", "clipboard-write"])
    person.goto("/links")
    copy = person.get_by_role("button", name="Copy the link to report.txt")
    copy.click()
    expect(copy.locator("use")).to_have_attribute("href", re.compile("#check$"))
    assert person.evaluate("navigator.clipboard.readText()") == link["url"]

    button = person.get_by_role("link", name="QR code of the link to report.txt")
    button.focus()
    person.keyboard.press("Enter")
    dialog = person.get_by_role("dialog", name="report.txt")
    expect(dialog.get_by_text(link["url"])).to_be_visible()
    code = dialog.get_by_role("img", name="QR code of the link to report.txt")
    expect(code).to_have_js_property("complete", value=True)
    assert code.evaluate("image => image.naturalWidth") > 0
    person.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(button).to_be_focused()

    person.once("dialog", lambda question: question.accept())
    from_menu(person, "Revoke the link to report.txt", "report.txt").click()
    expect(row(person, "report.txt")).to_have_count(0)
    expect(row(person, "other.txt")).to_have_count(1)
    expect(person.locator("#said")).to_have_text("The link to report.txt is revoked")
    assert person.context.request.get(link["url"]).status == 404
    assert person.context.request.get(other["url"]).status == 200
    person.get_by_role("link", name="Past").click()
    expect(row(person, "report.txt")).to_contain_text("until")
    expect(row(person, "other.txt")).to_have_count(0)
    assert row(person, "report.txt").get_by_role("button").count() == 0


def test_several_are_revoked(person: Page) -> None:
    file = send(person)
    links = [link_to(person, file) for _ in range(3)]
    link_to(person, send(person, "other.txt"), time=300)
    person.goto("/links")
    person.get_by_label("Sort links by").select_option("Ending first")
    expect(person.get_by_role("listitem").first).to_contain_text("other.txt")
    person.get_by_label("Search by what they lead to").fill("REPORT")
    expect(person.get_by_text("other.txt")).to_have_count(0)
    boxes = person.get_by_label("Select the link to report.txt")
    boxes.nth(0).check(force=True)
    boxes.nth(1).check(force=True)
    asked: list[str] = []

    def answer(question: Dialog) -> None:
        asked.append(question.message)
        question.accept()

    person.once("dialog", answer)
    bar = person.get_by_role("form", name="Selected links")
    bar.get_by_role("button", name="Revoke").click()
    expect(row(person, "report.txt")).to_have_count(1)
    assert asked[0].startswith("Revoke 2 links?")
    expect(bar).to_be_hidden()
    statuses = [person.context.request.get(link["url"]).status for link in links]
    assert sorted(statuses) == [200, 404, 404]


def test_time_runs_on_and_pages_of_links_follow_each_other(person: Page) -> None:
    file = send(person)
    for _ in range(101):
        link_to(person, file, time=300)
    person.clock.install()
    person.goto("/links")
    expect(row(person, "report.txt")).to_have_count(100)
    left = person.locator("time[data-left]").first
    person.clock.run_for(60_000)
    expect(left).to_have_text(re.compile(r"^(4 min|3 min \d+ s)$"))
    person.get_by_role("link", name="Older links").click()
    expect(row(person, "report.txt")).to_have_count(101)


def test_links_lead_to_what_they_are_of(person: Page) -> None:
    file = send(person)
    link_to(person, file)
    person.goto("/links")
    inside = row(person, "report.txt").get_by_role("link", name="report.txt", exact=True)
    expect(inside).to_have_attribute("href", f"/files/{file['id']}")


def test_strangers_sign_in_first(page: Page) -> None:
    page.goto("/links?kind=file&id=x")
    page.get_by_label("User name").fill(ADMIN)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/links\?kind=file&id=x$"))


def test_the_public_page_counts_down_to_its_end(person: Page, open_page: OpenPage) -> None:
    link = link_to(person, send(person), time=300)
    stranger = open_page()
    stranger.clock.install()
    stranger.goto(link["url"])
    left = stranger.locator("#left")
    expect(left).to_have_text(re.compile(r"^(5 min|4 min \d+ s)$"))
    stranger.clock.run_for(120_000)
    expect(left).to_have_text(re.compile(r"^(3 min|2 min \d+ s)$"))
    expect(stranger.get_by_role("link", name="Download")).to_be_visible()
    stranger.clock.run_for(200_000)
    expect(stranger.get_by_text("has ended", exact=True)).to_be_visible()
    expect(stranger.get_by_role("link", name="Download")).to_be_hidden()
    expect(stranger.get_by_role("status")).to_have_text("This link has ended. Ask for a new one.")
