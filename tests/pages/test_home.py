"""The home page: what a stranger is told, and what somebody signed in sees at a glance."""

import os
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import APIResponse, FilePayload, Locator, Page, ViewportSize, expect

from tests import pictures
from tests.pages.conftest import LAPTOP, PHONE, OpenPage, SignUp, fits

pytestmark = pytest.mark.slow


def _stored(answer: APIResponse) -> None:
    assert answer.ok, answer.text()


def _tile(page: Page, name: str) -> Locator:
    heading = page.get_by_role("heading", name=name, exact=True)
    return page.get_by_role("main").get_by_role("listitem").filter(has=heading)


@pytest.mark.parametrize("viewport", [PHONE, LAPTOP], ids=["phone", "laptop"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_its_window_and_follows_its_scheme(
    open_page: OpenPage, sign_up: SignUp, viewport: ViewportSize, scheme: str
) -> None:
    page = open_page(viewport=viewport, color_scheme=scheme)
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("Holdall")
    assert fits(page)
    for block in page.locator("pre").all():
        assert block.evaluate("e => e.scrollWidth <= e.clientWidth"), "something is cut off"
    red = int(page.evaluate("getComputedStyle(document.body).color.match(/[0-9]+/)[0]"))
    assert (red > 127) == (scheme == "dark")
    sign_up(page)
    page.goto("/")
    assert fits(page)


def test_its_lines_work_when_pasted(page: Page, tmp_path: Path) -> None:
    page.goto("/")
    lines = page.locator("pre").all_inner_texts()
    copies = page.get_by_role("button", name="Copy").all()
    assert [copy.get_attribute("data-copy") for copy in copies] == lines
    environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    result = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", "\n".join(lines)],
        cwd=tmp_path,
        check=False,
        env=environment,
        text=True,
        capture_output=True,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith("}Hello\n"), result.stdout


def test_from_home_to_an_account(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="Make an account").click()
    page.get_by_label("User name").fill("newcomer")
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Make the account").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("What you keep here")
    expect(page.get_by_role("navigation").get_by_role("link", name="newcomer")).to_be_visible()
    for name in ("Files", "Pictures", "Dumps", "Links", "Blobs"):
        expect(_tile(page, name).locator(".count")).to_have_text("0")
    expect(_tile(page, "Buffer")).to_contain_text("Empty")


def test_all_that_is_kept_is_seen_at_a_glance(page: Page, sign_up: SignUp) -> None:
    sign_up(page)
    request = page.context.request
    for name in ("first.txt", "second.txt"):
        _stored(request.put(f"/v1/send/{name}", data=b"x" * 2048))
    text = {"X-Data-Type": "text", "Content-Type": "text/plain"}
    _stored(request.put("/v1/buffer", data="<b>carry me</b>", headers=text))
    picture: FilePayload = {
        "name": "photo.jpg",
        "mimeType": "image/jpeg",
        "buffer": pictures.plain(),
    }
    _stored(request.post("/v1/pictures", multipart={"name": "a lake", "img": picture}))
    dump: FilePayload = {
        "name": "crash.dmp",
        "mimeType": "application/octet-stream",
        "buffer": b"no minidump",
    }
    _stored(request.post("/v1/dumps", multipart={"label": "app 1.0", "file": dump}))
    _stored(request.put("/v1/blobs/b/content", data=b"blob"))
    page.goto("/")

    expect(_tile(page, "Files").locator(".count")).to_have_text("2")
    expect(_tile(page, "Files").get_by_role("listitem")).to_contain_text(
        ["second.txt 2.0 KiB, 2 h left", "first.txt 2.0 KiB, 2 h left"]
    )
    expect(_tile(page, "Buffer")).to_contain_text("<b>carry me</b>")
    expect(_tile(page, "Pictures").locator(".count")).to_have_text("1")
    thumbnail = page.get_by_role("img", name="a lake")
    expect(thumbnail).to_have_js_property("naturalHeight", 200)
    expect(_tile(page, "Dumps")).to_contain_text("app 1.0")
    expect(_tile(page, "Links").locator(".count")).to_have_text("2")
    expect(_tile(page, "Blobs").locator(".count")).to_have_text("1")
    expect(page.get_by_text("of 100 GiB")).to_be_visible()
    used = page.get_by_role("meter", name="Space used").get_attribute("value")
    account = request.get("/v1/accounts/me").json()
    assert int(used or 0) == account["usage"]["bytes"] > 4096


def test_another_account_sees_nothing_of_it(
    page: Page, open_page: OpenPage, sign_up: SignUp
) -> None:
    sign_up(page)
    _stored(page.context.request.put("/v1/send/mine.txt", data=b"x"))
    other = open_page()
    sign_up(other)
    other.goto("/")
    expect(_tile(other, "Files").locator(".count")).to_have_text("0")
