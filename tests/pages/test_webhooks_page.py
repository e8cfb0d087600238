"""Webhooks in a real browser: made, tried, looked into and deleted."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import FilePayload, Locator, Page, expect

from tests.pages.conftest import OpenPage, SignUp, Watch
from tests.receiver import Receiver, answer, receiving_beside
from tests.system.processes import wait_for

pytestmark = pytest.mark.slow


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving_beside() as receiver:
        yield receiver


def make(page: Page, url: str, *types: str) -> str:
    """Make a webhook by the page's form; returns its secret."""
    page.goto("/account/profile")
    page.get_by_role("link", name="Webhooks").click()
    page.get_by_label("URL").fill(url)
    page.get_by_label("What is it for?").fill("Our build server")
    page.get_by_label("Only this:").check()
    for name in types:
        page.get_by_label(name, exact=True).check()
    page.get_by_role("button", name="Make the webhook").click()
    secret = page.get_by_role("region", name="Secret").locator("code").text_content()
    assert secret is not None
    assert re.fullmatch(r"whsec_[\w+/]{43}=", secret)
    return secret


def reload_until(page: Page, shown: Locator) -> None:
    """Look at a page again until it shows something, as people do without scripts."""

    def is_shown() -> bool:
        page.reload()
        return shown.is_visible()

    wait_for(is_shown)


def test_one_is_made_and_tried(page: Page, sign_up: SignUp, receiver: Receiver) -> None:
    sign_up(page)
    secret = make(page, receiver.url, "File received", "Link used up")
    page.get_by_role("button", name="Send a test").click()
    log = page.get_by_role("region", name="What it was told").get_by_role("listitem")
    expect(log).to_contain_text("delivered")  # as it happens
    expect(log).to_contain_text("answered 204")
    (request,) = receiver.take()
    assert request.is_signed_by(secret)
    expect(page.get_by_text(secret)).to_have_count(0)
    page.get_by_text("Change or delete it").click()
    expect(page.get_by_label("Link used up")).to_be_checked()
    expect(page.get_by_label("Link created")).not_to_be_checked()


def test_all_of_it_without_scripts(
    open_page: OpenPage, sign_up: SignUp, receiver: Receiver, watch: Watch
) -> None:
    watch.expect_status(422)
    page = open_page(java_script_enabled=False)
    sign_up(page)
    first = make(page, receiver.url, "File received")
    receiver.answers.append(answer(410, b"<b>We have moved</b>"))
    form: FilePayload = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"Some notes"}
    assert page.request.post("/v1/files", multipart={"file": form}).ok
    paused = page.get_by_text("It is paused: its receiver answered 410")
    page.goto("/webhooks")
    page.get_by_role("link", name="Our build server", exact=True).click()
    page.wait_for_url("**/webhooks/*")
    reload_until(page, paused)
    log = page.get_by_role("region", name="What it was told")
    log.get_by_text("What was sent, and answered").click()
    expect(log).to_contain_text('"type": "file.received"')
    expect(log).to_contain_text("<b>We have moved</b>")

    page.get_by_text("Change or delete it").click()
    page.get_by_label("URL").fill("gopher://example.org")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_contain_text("must begin with http")
    page.get_by_label("URL").fill(f"{receiver.url}&moved")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="Activate it again").click()
    expect(page.get_by_role("button", name="Switch it off")).to_be_visible()
    reload_until(page, log.get_by_text("delivered"))
    page.get_by_role("button", name="Send again").click()
    page.wait_for_url("**#list")
    reload_until(page, log.get_by_text("3 attempts"))
    gone, moved, again = receiver.take()
    assert gone.id == moved.id == again.id
    assert "moved" in moved.line

    page.get_by_text("Change or delete it").click()
    page.get_by_role("button", name="Make a new secret").click()
    second = page.get_by_role("region", name="Secret").locator("code")
    expect(second).not_to_have_text(first)
    page.get_by_text("Change or delete it").click()
    page.get_by_role("button", name="Delete the webhook").click()
    expect(page.get_by_text("No webhook yet.")).to_be_visible()
