"""From a person who signs up to another who gets a file, and from a crash to its page."""

import re
import sys
from pathlib import Path

from playwright.sync_api import FilePayload, expect

from tests.pages.conftest import PASSWORD, PHONE, OpenPage, SignUp
from tests.system.processes import Service
from tests.system.test_crashpad import CLIENT, crashes, handler, run

__all__ = ["crashes", "handler"]  # fixtures

DATA = b"what the laptop has and the phone wants\n" * 5000


def test_a_file_reaches_somebody_without_an_account(open_page: OpenPage, tmp_path: Path) -> None:
    laptop = open_page()
    laptop.goto("/")
    laptop.get_by_role("link", name="Make an account").first.click()
    laptop.get_by_label("User name").fill("grace")
    laptop.get_by_label("Password").fill(PASSWORD)
    laptop.get_by_role("button", name="Make the account").click()
    laptop.get_by_role("link", name="Send", exact=True).click()
    file = FilePayload(name="notes.txt", mimeType="text/plain", buffer=DATA)
    with laptop.expect_file_chooser() as chooser:
        laptop.get_by_role("button", name="Choose files").click()
    chooser.value.set_files([file])
    sent = laptop.get_by_role("list", name="Files just sent").get_by_role("link").first
    expect(sent).to_have_attribute("href", re.compile("/t/"))
    link = sent.get_attribute("href")
    assert link is not None

    phone = open_page(viewport=PHONE)
    phone.goto(link)
    expect(phone.get_by_role("heading", level=1)).to_have_text("notes.txt")
    with phone.expect_download() as download:
        phone.get_by_role("link", name="Download").click()
    download.value.save_as(tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == DATA


def test_a_crash_is_seen_on_its_page(
    open_page: OpenPage, sign_up: SignUp, live: Service, handler: Path, crashes: Path
) -> None:
    page = open_page()
    sign_up(page)
    key = {"name": "app", "scopes": ["dumps:submit"]}
    made = page.context.request.post("/v1/accounts/me/keys", data=key).json()["key"]
    page.goto("/dumps")
    sent = run(
        sys.executable, "-I", CLIENT, "upload", crashes / "completed", handler,
        f"--database={crashes}", f"--url={live.url}/v1/dumps/minidump?key={made}",
        "--no-rate-limit",
    )  # fmt: skip
    assert sent.returncode == 0, sent.stderr
    page.reload()
    (minidump,) = crashes.glob("completed/*.dmp")
    page.get_by_role("link", name=minidump.name, exact=True).click()
    expect(page.get_by_role("main")).to_contain_text("Acme 1.4")
    expect(page.get_by_role("main")).to_contain_text("SIGSEGV")
    expect(page.get_by_role("main")).to_contain_text("app.log")
