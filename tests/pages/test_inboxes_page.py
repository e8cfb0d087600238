"""Inboxes in a real browser: made, handed on, given to with scripts and without, looked into."""

import re
import zipfile

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests import plain_http
from tests.pages.conftest import PHONE, OpenPage, SignUp, Watch, fits

LARGE = bytes(range(256)) * 4000


def payload(name: str, data: bytes = b"text") -> FilePayload:
    return {"name": name, "mimeType": "text/plain", "buffer": data}


def make(page: Page, title: str = "Photos", **fields: str) -> str:
    """Make an inbox by the page's form; returns its address."""
    page.goto("/inboxes")
    form = page.locator("#make")
    if not form.is_visible():
        page.get_by_text("Make an inbox").click()
    page.get_by_label("Title").fill(title)
    for label, value in fields.items():
        form.get_by_label(label.replace("_", " ")).fill(value)
    form.get_by_role("button", name="Make the inbox").click()
    link = page.get_by_role("region", name=f"{title} is open").get_by_role("link")
    address = link.get_attribute("href") or ""
    assert re.search(r"/t/[\w-]{22}$", address)
    return address


def test_what_strangers_give_comes_live(page: Page, open_page: OpenPage, sign_up: SignUp) -> None:
    sign_up(page)
    address = make(page, Message="All of them", Maximum_files="20")
    page.goto("/file/load")
    stranger = open_page()
    stranger.goto(address)
    expect(stranger.get_by_role("heading", name="Photos")).to_be_visible()
    expect(stranger.get_by_text("All of them")).to_be_visible()
    stranger.get_by_label("Choose files").set_input_files([payload("one.txt")])
    received = stranger.get_by_role("region", name="Arrived").get_by_role("listitem")
    expect(received).to_have_count(1)
    mark = page.get_by_role("navigation", name="Main").get_by_role("link", name="Inboxes 1 new")
    expect(mark).to_be_visible()
    stranger.get_by_label("Choose files").set_input_files(
        [payload("two.txt"), payload("large", LARGE)]
    )
    expect(received).to_have_count(3)
    expect(stranger.get_by_text("17", exact=True)).to_be_visible()  # files that may still come

    page.get_by_role("link", name="Inboxes 3 new").click()
    row = page.get_by_role("region", name="Your inboxes").get_by_role("listitem")
    expect(row).to_contain_text("3 files of 20")
    row.get_by_role("link", name="Photos", exact=True).click()
    came = page.get_by_role("region", name="What has arrived")
    expect(came).to_contain_text("2 files")
    with page.expect_download() as download:
        came.get_by_role("link", name="Download one.txt").click()
    assert download.value.path().read_bytes() == b"text"
    expect(page.get_by_role("link", name="Inboxes", exact=True)).to_be_visible()  # all was seen
    stranger.get_by_label("Choose files").set_input_files([payload("three.txt")])
    expect(came.get_by_text("three.txt")).to_be_visible()

    came.get_by_label("Select three.txt").check(force=True)
    bar = page.get_by_role("form", name="What is selected")
    bar.get_by_role("button", name="Select all").click()
    with page.expect_download() as download:
        bar.get_by_role("button", name="Download").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert archive.namelist()[:2] == ["three.txt", "one.txt"]
        assert {*archive.namelist()[2:]} == {"2 files/two.txt", "2 files/large"}
    came.get_by_label("Select one.txt").uncheck()
    page.once("dialog", lambda dialog: dialog.accept())
    bar.get_by_role("button", name="Delete").click()
    expect(page.locator("#said")).to_have_text("2 items deleted")
    expect(came.get_by_label(re.compile("^Select"))).to_have_count(1)

    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_text("Change or delete it").click()
    page.get_by_role("button", name="Delete the inbox").click()
    expect(page.get_by_text("No inbox yet.")).to_be_visible()
    assert plain_http.get(address).status_code == 404


@pytest.mark.slow
def test_it_takes_files_without_scripts(
    page: Page, open_page: OpenPage, sign_up: SignUp, watch: Watch
) -> None:
    watch.expect_status(403)
    sign_up(page)
    address = make(page, Password="grey heron")
    stranger = open_page(java_script_enabled=False)
    stranger.goto(address)
    expect(stranger.get_by_role("heading", name="Protected inbox")).to_be_visible()
    for password in ("wrong", "grey heron"):
        stranger.get_by_label("Password").fill(password)
        stranger.get_by_role("button", name="Open").click()
    stranger.get_by_label("Choose files").set_input_files([payload("a.txt"), payload("b.txt")])
    stranger.get_by_role("button", name="Send").click()
    received = stranger.get_by_role("region", name="Arrived")
    expect(received.get_by_role("listitem")).to_have_count(2)
    expect(received).to_contain_text("SHA-256")


@pytest.mark.slow
def test_an_upload_goes_on_after_the_page_was_loaded_again(
    page: Page, open_page: OpenPage, sign_up: SignUp, watch: Watch
) -> None:
    watch.expect_status(503)
    sign_up(page)
    address = make(page)
    stranger = open_page()
    stranger.goto(address)
    stranger.route("**/uploads/*", lambda route: route.fulfill(status=503))
    stranger.get_by_label("Choose files").set_input_files([payload("large", LARGE)])
    uploads = stranger.get_by_role("region", name="Uploads")
    expect(uploads).to_contain_text("Trying again")
    stranger.unroute("**/uploads/*")
    stranger.once("dialog", lambda dialog: dialog.accept())
    stranger.goto(address)
    expect(uploads).to_contain_text("choose large again")
    with stranger.expect_file_chooser() as chooser:
        uploads.get_by_role("button", name="Choose large").click()
    del chooser
    stranger.get_by_label("Choose files").set_input_files([payload("large", LARGE)])
    expect(stranger.get_by_role("region", name="Arrived")).to_contain_text("large")


@pytest.mark.slow
def test_its_pages_fit_a_phone(open_page: OpenPage, sign_up: SignUp) -> None:
    page = open_page(viewport=PHONE)
    sign_up(page)
    address = make(page, "W" * 150, Message="https://example.org/" + "x" * 200)
    assert fits(page)
    stranger = open_page(viewport=PHONE)
    stranger.goto(address)
    stranger.get_by_label("Choose files").set_input_files([payload("y" * 200)])
    expect(stranger.get_by_role("region", name="Arrived")).to_contain_text("y" * 200)
    assert fits(stranger)
    page.get_by_role("region", name="Your inboxes").locator("a.name").click()
    expect(page.get_by_role("region", name="What has arrived")).to_contain_text("y" * 200)
    assert fits(page)


@pytest.mark.slow
def test_a_full_one_says_so(page: Page, open_page: OpenPage, sign_up: SignUp, watch: Watch) -> None:
    watch.expect_status(409)
    sign_up(page)
    address = make(page, Maximum_files="1")
    stranger = open_page()
    stranger.goto(address)
    stranger.get_by_label("Choose files").set_input_files([payload("a"), payload("b")])
    expect(stranger.get_by_role("region", name="Arrived").get_by_role("listitem")).to_have_count(1)
    expect(stranger.get_by_role("region", name="Uploads")).to_contain_text("takes no more files")
    stranger.reload()
    expect(stranger.get_by_text("This inbox is full")).to_be_visible()
