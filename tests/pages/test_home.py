"""The home page: what a stranger is told, and what somebody signed in sees at a glance."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import APIResponse, FilePayload, Locator, Page, ViewportSize, expect

from tests import pictures
from tests.minidump_files import Minidump
from tests.pages.conftest import LAPTOP, PHONE, OpenPage, SignUp, fits
from tests.system.processes import wait_for

pytestmark = pytest.mark.slow


def _stored(answer: APIResponse) -> None:
    assert answer.ok, answer.text()


def _payload(name: str, data: bytes) -> FilePayload:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": data}


LAKE: Final = _payload("lake.jpg", pictures.plain())


def kind(page: Page, name: str) -> Locator:
    return page.locator("#kinds a").filter(has_text=name)


def recent(page: Page) -> Locator:
    return page.get_by_role("region", name="Recent").get_by_role("listitem")


def bundles(page: Page) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = page.request.get("/v1/bundles").json()["items"]
    return items


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
    expect(page.get_by_role("heading", level=1)).to_have_text("Home")
    expect(page.get_by_role("navigation").get_by_role("link", name="newcomer")).to_be_visible()
    expect(page.get_by_role("region", name="Three things to begin with")).to_be_visible()
    expect(kind(page, "Files")).to_be_hidden()
    expect(recent(page)).to_have_count(0)


def test_all_that_is_kept_is_seen_at_a_glance(page: Page, sign_up: SignUp) -> None:
    sign_up(page)
    request = page.context.request
    for name in ("first.txt", "second.txt"):
        _stored(request.put(f"/v1/send/{name}", data=b"x" * 2048))
    text = {"X-Data-Type": "text", "Content-Type": "text/plain"}
    _stored(request.put("/v1/buffer", data="<b>carry me</b>", headers=text))
    _stored(request.post("/v1/pictures", multipart={"name": "a lake", "img": LAKE}))
    dump: FilePayload = {
        "name": "crash.dmp",
        "mimeType": "application/octet-stream",
        "buffer": b"no minidump",
    }
    _stored(request.post("/v1/dumps", multipart={"label": "app 1.0", "file": dump}))
    _stored(request.post("/v1/bundles", data={"name": "a bundle"}))
    image = {"Content-Type": "image/png"}
    _stored(request.put("/v1/send/pond.png", data=pictures.plain(), headers=image))
    page.goto("/")

    expect(recent(page).get_by_role("link").filter(has_text=re.compile("."))).to_have_text(
        [
            "pond.png",
            "a bundle",
            "crash.dmp",
            "a lake",
            "<b>carry me</b>",
            "second.txt",
            "first.txt",
        ]
    )
    expect(recent(page).filter(has_text="second.txt")).to_contain_text("2.0 KiB 2 h left")
    counts = {"Files": "3", "Buffer": "text", "Pictures": "1", "Dumps": "1", "Links": "4"}
    for name, count in counts.items():
        expect(kind(page, name)).to_have_text(f"{name}{count}")
    thumbnail = recent(page).filter(has_text="a lake").locator("img")
    expect(thumbnail).to_have_js_property("naturalHeight", 200)
    small = recent(page).filter(has_text="pond.png").locator("img")
    expect(small).not_to_have_js_property("naturalHeight", 0)
    expect(page.get_by_text("of 100 GiB")).to_be_visible()
    used = page.get_by_role("meter", name="Storage used").get_attribute("value")
    account = request.get("/v1/accounts/me").json()
    assert int(used or 0) == account["usage"]["bytes"] > 4096
    page.set_viewport_size({"width": 320, "height": 700})
    assert fits(page)


def test_what_is_dropped_goes_to_its_place(page: Page, sign_up: SignUp) -> None:
    sign_up(page)
    page.goto("/")
    choose = page.get_by_label("Choose files")
    choose.set_input_files([LAKE])
    expect(recent(page)).to_contain_text(["lake"])
    choose.set_input_files([_payload("core", Minidump().write())])
    expect(recent(page).locator("a[href*='/dumps/']")).to_have_count(1)  # it is read, and named
    choose.set_input_files([_payload("notes.txt", b"notes")])
    expect(recent(page)).to_have_count(3)
    expect(recent(page).first).to_contain_text("notes.txt")
    expect(page.get_by_role("region", name="Three things to begin with")).to_be_hidden()

    page.get_by_role("button", name="Copy the link to notes.txt").click()
    page.get_by_role("link", name="QR code of the link to notes.txt").click()
    address = page.get_by_role("dialog", name="notes.txt").locator(".address").inner_text()
    assert page.request.get(f"{address}?download=1").body() == b"notes"
    page.keyboard.press("Escape")

    page.get_by_label("Text for your other devices").fill("typed")
    page.get_by_role("button", name="Share text").click()
    expect(recent(page)).to_contain_text(["typed", "notes.txt"])
    page.evaluate(
        """() => {
          const clipboardData = new DataTransfer();
          clipboardData.setData("text/plain", "pasted");
          const options = { clipboardData, bubbles: true };
          document.body.dispatchEvent(new ClipboardEvent("paste", options));
        }"""
    )
    expect(recent(page)).to_contain_text(["pasted", "notes.txt"])
    for path in ("/v1/pictures", "/v1/dumps", "/v1/files"):
        assert len(page.request.get(path).json()["items"]) == 1, path


def test_several_kinds_at_once_are_asked_about(page: Page, sign_up: SignUp) -> None:
    sign_up(page)
    page.goto("/")
    several = [LAKE, _payload("a.txt", b"a"), _payload("b.txt", b"b")]
    choose = page.get_by_label("Choose files")
    asked = page.get_by_role("dialog", name="3 things of several kinds")
    choose.set_input_files(several)
    asked.get_by_role("button", name="All under one link").click()
    expect(recent(page)).to_contain_text(["3 files"])
    choose.set_input_files(several)
    asked.get_by_role("button", name="Each to its place").click()
    expect(recent(page).filter(has_text="lake")).to_have_count(1)
    expect(recent(page).filter(has_text="2 files")).to_have_count(1)
    wait_for(lambda: [b["is_open"] for b in bundles(page)] == [False, False])
    assert sorted(bundle["count"] for bundle in bundles(page)) == [2, 3]


def test_another_account_sees_nothing_of_it(
    page: Page, open_page: OpenPage, sign_up: SignUp
) -> None:
    sign_up(page)
    _stored(page.context.request.put("/v1/send/mine.txt", data=b"x"))
    other = open_page()
    sign_up(other)
    other.goto("/")
    expect(recent(other)).to_have_count(0)
