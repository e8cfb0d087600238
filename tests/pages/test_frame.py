"""What all pages share: the bar at the top, on small screens too, and the colours of meters."""

import io

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, ViewportSize, expect

from tests.pages.conftest import ADMIN, PASSWORD, SignUp, fits

pytestmark = pytest.mark.slow

NARROW: list[ViewportSize] = [{"width": 320, "height": 640}, {"width": 390, "height": 844}]


def is_whole(element: Locator) -> bool:
    """Tell whether an element is on the screen, and no other cuts off or hides a part of it."""
    return bool(
        element.evaluate(
            """e => {
              const box = e.getBoundingClientRect();
              if (box.left < 0 || box.right > innerWidth || box.top < 0 || !box.width) return false;
              const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
              const points = [[x, y], [box.left + 2, y], [box.right - 2, y]];
              return points.every(([x, y]) => e.contains(document.elementFromPoint(x, y)));
            }"""
        )
    )


@pytest.mark.parametrize("viewport", NARROW, ids=["320", "390"])
def test_a_phone_shows_all_of_the_bar(page: Page, viewport: ViewportSize) -> None:
    form: dict[str, str | float | bool] = {"username": ADMIN, "password": PASSWORD}
    assert page.request.post("/account/login", form=form).ok
    page.set_viewport_size(viewport)
    for path in ("/file/load", "/dumps", "/account/profile", "/admin"):
        page.goto(path)
        bar = page.get_by_role("banner")
        entries = ["Holdall", "Send", "Buffer", "Pictures", "Dumps", "Links", "Inboxes", "Blobs"]
        entries += ["Admin", ADMIN]
        for name in entries:
            assert is_whole(bar.get_by_role("link", name=name, exact=True)), (path, name)
        assert is_whole(bar.get_by_role("button", name="Sign out"))
        assert fits(page)


@pytest.mark.parametrize("viewport", NARROW, ids=["320", "390"])
def test_a_long_name_leaves_room_for_signing_out(
    page: Page, sign_up: SignUp, viewport: ViewportSize
) -> None:
    name = sign_up(page, f"{viewport['width']}".ljust(64, "n"))
    page.set_viewport_size(viewport)
    page.goto("/file/buffer")
    assert is_whole(page.get_by_role("link", name=name))
    assert is_whole(page.get_by_role("link", name="Links"))
    assert fits(page)
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("banner").get_by_role("link", name="Sign in")).to_be_visible()
    assert page.request.get("/v1/accounts/me").status == 401


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("value", "variable"), [(50, "--accent"), (95, "--error")])
def test_a_meter_shows_how_much_is_used_by_its_colour(
    page: Page, sign_up: SignUp, scheme: str, value: int, variable: str
) -> None:
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    sign_up(page)
    page.goto("/account/profile")
    meter = page.locator("meter").first
    meter.evaluate("(m, v) => Object.assign(m, { min: 0, max: 100, high: 90, value: v })", value)
    shot = Image.open(io.BytesIO(meter.screenshot())).convert("RGB")
    style = "(root, name) => getComputedStyle(root).getPropertyValue(name).trim()"
    wanted = page.locator("html").evaluate(style, variable)
    used = shot.getpixel((shot.width * value // 200, shot.height // 2))
    unused = shot.getpixel((shot.width * 98 // 100, shot.height // 2))
    assert isinstance(used, tuple)
    assert "#{:02x}{:02x}{:02x}".format(*used) == wanted
    assert unused != used
