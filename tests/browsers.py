"""A real browser for tests, where one is installed."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from playwright.sync_api import Browser, sync_playwright

_FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # no page may ask another host
)
_PROGRAMS: Final = ("chromium-headless-shell", "chromium", "chromium-browser")
"""The first has no windows to draw, and takes less than half of the time."""

WIDTHS: Final = {"phone": (390, 844), "laptop": (1366, 768)}


class NoBrowser(Exception):
    """There is no Chromium on this machine."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run Chromium; raises `NoBrowser`."""
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        raise NoBrowser(f"no Chromium is installed (on Debian: apt-get install {_PROGRAMS[0]})")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_FLAGS))
        yield browser
        browser.close()
