"""The public page of a link, with scripts: what it says of a download that it has claimed."""

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.pages.conftest import LAPTOP, PHONE, OpenPage, SignUp, Watch, fits
from tests.pictures import plain

pytestmark = pytest.mark.slow

DATA = b"Hello, world"


@pytest.fixture
def person(page: Page, sign_up: SignUp) -> Page:
    """A page of somebody who has just signed up."""
    sign_up(page)
    return page


def link_to(person: Page, **options: object) -> str:
    """Send a file; returns the URL of a link to it."""
    ask = person.context.request
    sent = ask.put("/v1/send/report.txt", data=DATA, headers={"Accept": "application/json"})
    body = {"kind": "file", "id": sent.json()["id"], "time": 3600} | options
    made = ask.post("/v1/timelinks", data=body)
    assert made.ok, made.text()
    return str(made.json()["url"])


def downloads(person: Page) -> list[int]:
    """Return how often each counted link of a person was used."""
    items = person.context.request.get("/v1/timelinks").json()["items"]
    return [item["downloads"] for item in items if item["max_downloads"] is not None]


@pytest.mark.parametrize("viewport", [PHONE, LAPTOP], ids=["phone", "laptop"])
def test_a_download_that_has_begun_is_told_of_and_offered_again(
    person: Page,
    open_page: OpenPage,
    watch: Watch,
    viewport: Any,  # noqa: ANN401 - sizes
) -> None:
    url = link_to(person, max_downloads=1, password="sesame")
    stranger = open_page(viewport=viewport)
    stranger.goto(url)
    stranger.get_by_label("Password").fill("wrong")
    stranger.keyboard.press("Enter")
    expect(stranger.get_by_role("alert")).to_have_text("This password is wrong.")
    expect(stranger.get_by_label("Password")).to_be_focused()
    watch.expect_status(403)

    stranger.keyboard.type("sesame")
    with stranger.expect_download() as download:
        stranger.keyboard.press("Enter")
    assert Path(download.value.path()).read_bytes() == DATA
    expect(stranger.get_by_role("status")).to_contain_text("The download has started.")
    expect(stranger.get_by_role("alert")).to_have_count(0)
    expect(stranger.get_by_label("Password")).to_have_count(0)
    expect(stranger.locator("#downloads")).to_have_text("none")
    again = stranger.get_by_role("link", name="Download again")
    expect(again).to_be_focused()
    assert fits(stranger)
    with stranger.expect_download() as download:
        stranger.keyboard.press("Enter")
    assert Path(download.value.path()).read_bytes() == DATA
    assert downloads(person) == [1]


def test_a_page_that_is_late_says_that_the_link_has_ended(
    person: Page, open_page: OpenPage, watch: Watch
) -> None:
    url = link_to(person, max_downloads=1)
    first, second = open_page(), open_page()
    for page in (first, second):
        page.goto(url)
        expect(page.locator("#downloads")).to_have_text("1")
    with first.expect_download():
        first.get_by_role("button", name="Download").click()
    second.get_by_role("button", name="Download").click()
    expect(second.get_by_role("heading")).to_have_text("This link doesn't work")
    watch.expect_status(404)
    assert downloads(person) == [1]


def test_a_server_that_is_gone_costs_no_download(
    person: Page, open_page: OpenPage, watch: Watch
) -> None:
    stranger = open_page()
    stranger.goto(link_to(person, max_downloads=2))
    stranger.route("**/t/**", lambda route: route.abort())
    button = stranger.get_by_role("button", name="Download")
    button.click()
    expect(stranger.get_by_role("status")).to_have_text("The server can't be reached.")
    watch.complaints.clear()
    stranger.unroute("**/t/**")
    with stranger.expect_download():
        button.click()
    expect(stranger.locator("#downloads")).to_have_text("1")
    assert downloads(person) == [1]


def test_a_page_without_scripts_takes_one_download_however_often_its_button_is_pressed(
    person: Page, open_page: OpenPage
) -> None:
    stranger = open_page(java_script_enabled=False)
    stranger.goto(link_to(person, max_downloads=2))
    for _ in range(2):
        with stranger.expect_download() as download:
            stranger.get_by_role("button", name="Download").click()
        assert Path(download.value.path()).read_bytes() == DATA
    assert downloads(person) == [1]


def test_a_link_that_was_used_up_says_no_until(person: Page, open_page: OpenPage) -> None:
    url = link_to(person, max_downloads=1)
    stranger = open_page()
    stranger.goto(url)
    with stranger.expect_download():
        stranger.get_by_role("button", name="Download").click()
    person.goto("/links?state=expired")
    row = person.get_by_role("region", name="Past links").get_by_role("listitem")
    expect(row).to_contain_text("used 1 of 1")
    expect(row).not_to_contain_text("until")


def test_a_picture_fills_the_window(person: Page) -> None:
    form: Any = {"file": {"name": "sea.png", "mimeType": "image/png", "buffer": plain()}}
    person.goto(person.context.request.post("/v1/files", multipart=form).json()["link"])
    url = person.url
    person.get_by_role("img", name="Preview of sea.png").click()
    viewer = person.get_by_role("dialog", name="sea.png")
    image = viewer.get_by_role("img")
    image.evaluate("e => e.decode()")
    person.keyboard.press("+")
    assert image.evaluate("e => e.getBoundingClientRect().width") == pytest.approx(1.4 * 600)
    expect(viewer.get_by_role("button", name="Next picture")).to_be_hidden()
    person.go_back()
    expect(viewer).to_be_hidden()
    assert person.url.startswith(url)
    person.get_by_role("link", name="Preview of sea.png").press("Enter")
    expect(viewer).to_be_visible()
    person.keyboard.press("Escape")
    expect(viewer).to_be_hidden()
