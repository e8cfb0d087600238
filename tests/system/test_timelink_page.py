"""The public page in a real browser, without JavaScript: seen, and used by keyboard."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browsers import WIDTHS
from tests.system import processes
from tests.system.processes import Service

pytestmark = pytest.mark.slow

TEXT = "a line of a log, rather long, so that it has to be broken somewhere on a phone\n" * 50


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    with processes.running({"DATA_DIR": str(folder / "data")}, folder) as service:
        yield service


@pytest.fixture(params=WIDTHS)
def visitor(request: pytest.FixtureRequest, browser: Browser) -> Iterator[BrowserContext]:
    width, height = WIDTHS[request.param]
    context = browser.new_context(
        viewport={"width": width, "height": height}, java_script_enabled=False
    )
    yield context
    context.close()


def link_to(service: Service, **options: object) -> str:
    name = "a-name-without-any-place-where-it-could-be-broken-but-anywhere" * 2 + ".txt"
    headers = {"Content-Type": "text/plain"}
    put = service.client.put(f"/v1/blobs/{name}/content", content=TEXT, headers=headers)
    assert put.is_success
    body = {"kind": "blob", "id": name, "time": 600} | options
    return str(service.client.post("/v1/timelinks", json=body).json()["url"])


def opened(visitor: BrowserContext, url: str) -> tuple[Page, list[str]]:
    """Open a page; returns it, and what the browser complains about."""
    page, complaints = visitor.new_page(), []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(url)
    root = page.locator("html")
    assert root.evaluate("e => e.scrollWidth <= e.clientWidth"), "it is wider than the screen"
    return page, complaints


def downloaded(page: Page) -> str:
    """Press Enter, and return what is downloaded."""
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    return Path(download.value.path()).read_text()


def test_an_unlimited_link(service: Service, visitor: BrowserContext) -> None:
    page, complaints = opened(visitor, link_to(service))
    expect(page.get_by_role("region", name="All of")).to_contain_text("a line of a log")
    page.get_by_role("link", name="Download").focus()
    assert downloaded(page) == TEXT
    assert complaints == []


def test_a_limited_link(service: Service, visitor: BrowserContext) -> None:
    url = link_to(service, max_downloads=1)
    page, complaints = opened(visitor, url)
    expect(page.get_by_text("This is the last download.")).to_be_visible()
    page.get_by_role("button", name="Download").focus()
    assert downloaded(page) == TEXT
    assert complaints == []
    answer = page.reload()
    assert answer is not None
    assert answer.status == 404
    expect(page.get_by_role("heading")).to_have_text("This link doesn't work")


def test_a_password(service: Service, visitor: BrowserContext) -> None:
    url = link_to(service, password="secret")
    page, _ = opened(visitor, url)
    expect(page.get_by_label("Password")).to_be_focused()
    page.keyboard.type("wrong")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("This password is wrong.")
    expect(page.get_by_label("Password")).to_be_focused()
    page.keyboard.type("secret")
    assert downloaded(page) == TEXT
    assert page.url == url
