"""The page of symbols in a real browser, and a crash that they give names to."""

import re
import struct
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.minidump_files import Minidump
from tests.pages.conftest import SignUp, Watch
from tests.symbol_files import DEBUG_ID, NAMED, breakpad

pytest.importorskip("symbolic")
pytestmark = pytest.mark.slow

DUMP = Minidump(modules=[NAMED], stack=struct.pack("<3Q", 1, 0x400210, 0)).write()


def test_symbols_are_dropped_and_name_what_crashed(
    page: Page, sign_up: SignUp, watch: Watch
) -> None:
    sign_up(page)
    watch.expect_status(422)  # of what has no symbols
    log: Any = {"name": "app.log", "mimeType": "text/plain", "buffer": b"it was well until then"}
    file: Any = {"name": "a.dmp", "mimeType": "application/octet-stream", "buffer": DUMP}
    sent = page.context.request.post(
        "/v1/dumps/minidump", multipart={"log": log, "upload_file_minidump": file}
    )
    assert sent.ok, sent.text()
    page.goto(f"/dumps/{sent.text()}")
    expect(page.get_by_role("heading", level=1)).to_have_text("SIGSEGV in app")
    page.locator("summary", has_text="1 module").click()
    page.get_by_role("link", name="missing").click()
    wanted = page.get_by_role("region", name="Symbols that dumps lack")
    expect(wanted.get_by_role("row")).to_have_text(
        [re.compile("Module"), re.compile(rf"app\s*{DEBUG_ID}\s*1")]
    )
    expect(page.get_by_role("region", name="From a build")).to_contain_text("/v1/symbols/upload/")

    symbols: Any = {"name": "app.sym", "mimeType": "text/plain", "buffer": breakpad()}
    junk: Any = {"name": "a.txt", "mimeType": "text/plain", "buffer": b"no symbols"}
    page.locator("#picker").set_input_files([symbols, junk])
    arrivals = page.locator("#arrivals li")
    expect(arrivals.first).to_have_text("app.sym: app x86_64")
    expect(arrivals.last).to_contain_text("a.txt: The file has no symbols")
    all_of_them = page.get_by_role("region", name="All symbols")
    expect(all_of_them).to_contain_text("debug, unwind")
    expect(wanted).to_have_count(0)

    page.goto(f"/dumps/{sent.text()}")
    expect(page.get_by_role("heading", level=1)).to_have_text("SIGSEGV in crash_here(int)")
    stack = page.get_by_role("region", name="The stack of thread 77")
    expect(stack.get_by_role("listitem")).to_have_text(
        [
            re.compile(r"inlined\(\) in\.h:7 inlined\s*crash_here\(int\) app\.cc:11 app"),
            re.compile(r"acme::main\(int, char\*\*\) app\.cc:42 app"),
        ]
    )
    copied = stack.get_by_role("button", name="Copy").get_attribute("data-copy")
    assert copied is not None
    assert copied.splitlines() == [
        "#0 inlined() /src/in.h:7 (inlined)",
        "#0 app!crash_here(int) /src/app.cc:11",
        "#1 app!acme::main(int, char**) /src/app.cc:42",
    ]
    page.locator("summary", has_text="Show app.log").click()
    expect(page.get_by_role("region", name="app.log")).to_have_text("it was well until then")

    page.goto("/symbols")
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Delete app").click()
    expect(page.get_by_text("No symbols yet")).to_be_visible()
