"""What is kept of odd pictures, compared with what a browser shows of them."""

from base64 import b64encode
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from app.errors import InvalidRequest
from app.pictures import decoding
from tests import odd_pictures
from tests.pictures import encoded, noise

MAX_PIXELS = 100_000_000
LARGEST = 10_000_000
"""Bytes of a picture that are sent to a browser in one message."""

SHOW = """async (data) => {
    const image = new Image();
    image.src = "data:image/png;base64," + data;
    try { await image.decode(); } catch { return null; }
    const canvas = new OffscreenCanvas(image.naturalWidth, image.naturalHeight);
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    const { data: pixels } = context.getImageData(0, 0, canvas.width, canvas.height);
    return [canvas.width, canvas.height, pixels.some((value, at) => at % 4 === 3 && value > 0)];
}"""


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    """A page of no site."""
    page = browser.new_page()
    yield page
    page.close()


@cache
def odd() -> dict[str, bytes]:
    """Return pictures that are odd, and pieces of those that are shown in part or not at all."""
    found = odd_pictures.odd_but_whole() | odd_pictures.sideways_but_not_by_exif()
    whole = odd_pictures.to_be_cut() | {
        f"whole.{kind}": encoded(noise(300, 200), kind) for kind in ("webp", "avif")
    }
    for name, data in whole.items():
        found[name] = data
        found |= {f"{part}% of {name}": data[: len(data) * part // 100] for part in (30, 90)}
    found |= {f"end of {name}": data[:40] for name, data in whole.items()}
    # Chromium loses its way after an empty block, and shows nothing of what follows
    return {
        name: data
        for name, data in found.items()
        if "empty.gif" not in name and len(data) < LARGEST
    }


def kept(data: bytes) -> tuple[int, int] | None:
    try:
        facts = decoding.examine(data, MAX_PIXELS)
    except InvalidRequest:
        return None
    return facts.width, facts.height


@pytest.mark.parametrize("name", odd())
def test_what_a_browser_shows_is_kept_and_nothing_else(page: Page, name: str) -> None:
    data = odd()[name]
    shown: Any = page.evaluate(SHOW, b64encode(data).decode())
    expected = (shown[0], shown[1]) if shown is not None and shown[2] else None
    assert kept(data) == expected
