"""The page of pictures in a real browser: sent, looked at, renamed, deleted."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests import pictures, plain_http
from tests.pages.conftest import ADMIN, LAPTOP, PASSWORD, PHONE, OpenPage, SignUp, Watch, fits
from tests.system.processes import Service

pytestmark = pytest.mark.slow

HOSTILE = "<img src=x onerror=alert(1)>"
LANDSCAPE = pictures.plain(size=(600, 400))


@pytest.fixture
def person(page: Page, sign_up: SignUp) -> str:
    """Somebody who is signed in on `page`."""
    return sign_up(page)


def store(page: Page, name: str, data: bytes = LANDSCAPE) -> str:
    """Store a picture past the page; returns its id."""
    form: Any = {"name": name, "img": {"name": "a.png", "mimeType": "image/png", "buffer": data}}
    answer = page.context.request.post("/v1/pictures", multipart=form)
    assert answer.status == 201, answer.text()
    return str(answer.json()["id"])


def give_tier(live: Service, username: str, tier: str) -> None:
    form = {"username": ADMIN, "password": PASSWORD}
    with plain_http.Client(base_url=live.url) as admin:
        token = admin.post("/v1/auth/token", data=form).json()["access_token"]
        admin.headers["Authorization"] = f"Bearer {token}"
        (account,) = admin.get("/v1/accounts", params={"q": username}).json()["items"]
        assert admin.patch(f"/v1/accounts/{account['id']}", json={"tier": tier}).is_success


def tile(page: Page, name: str) -> Any:  # noqa: ANN401 - a locator
    return page.get_by_role("group", name="Pictures").get_by_role("link", name=name, exact=True)


def expect_drawn(image: Any) -> None:  # noqa: ANN401 - a locator
    """Wait until an image has been loaded, and can be decoded."""
    image.evaluate("e => e.decode()")
    assert image.evaluate("e => e.naturalWidth") > 0


def bring(page: Page, how: str, name: str, data: bytes) -> None:
    """Drop a file on the page, or paste it, as a browser tells of that."""
    page.evaluate(
        """([how, name, bytes]) => {
            const data = new DataTransfer();
            data.items.add(new File([new Uint8Array(bytes)], name, { type: "image/png" }));
            const options = { bubbles: true, cancelable: true };
            document.body.dispatchEvent(how === "drop"
              ? new DragEvent("drop", { ...options, dataTransfer: data })
              : new ClipboardEvent("paste", { ...options, clipboardData: data }));
        }""",
        [how, name, list(data)],
    )


def test_a_stranger_signs_in_first(page: Page) -> None:
    page.goto("/pictures")
    expect(page).to_have_url(re.compile(r"/account/login\?next=/pictures$"))


def test_pictures_that_are_picked_show_up(page: Page, person: str) -> None:
    page.goto("/pictures")
    expect(page.get_by_text("No pictures yet")).to_be_visible()
    files: Any = [
        {"name": f"{name}.png", "mimeType": "image/png", "buffer": LANDSCAPE}
        for name in ("one", "two")
    ]
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose pictures").press("Enter")
    chooser.value.set_files(files)
    for name in ("one", "two"):
        expect_drawn(tile(page, name).locator("img"))
    expect(page.get_by_text("No pictures yet")).to_be_hidden()
    expect(page.get_by_role("region", name="Uploads").locator("li")).to_have_count(0)
    page.reload()
    expect(tile(page, "one")).to_be_visible()


@pytest.mark.parametrize("how", ["drop", "paste"])
def test_pictures_are_dropped_and_pasted(page: Page, person: str, how: str) -> None:
    page.goto("/pictures")
    bring(page, how, "harbour.png", LANDSCAPE)
    expect_drawn(tile(page, "harbour").locator("img"))


def test_a_placeholder_is_painted_until_the_thumbnail_is_there(page: Page, person: str) -> None:
    store(page, "hill")
    held: list[Route] = []
    page.route(re.compile("/thumbnails/"), lambda route: held.append(route))  # noqa: PLW0108 - Playwright takes no built-in function
    page.goto("/pictures", wait_until="domcontentloaded")
    colour = page.locator(".tile canvas").evaluate(
        "e => [...e.getContext('2d').getImageData(5, 5, 1, 1).data]"
    )
    assert colour[0] > 240
    assert max(colour[1:3]) < 20  # LANDSCAPE is red
    for route in held:
        route.continue_()
    expect(page.locator(".tile canvas")).to_have_count(0)
    expect_drawn(page.locator(".tile img"))


def test_what_is_no_picture_is_refused(page: Page, person: str, watch: Watch) -> None:
    page.goto("/pictures")
    bring(page, "drop", "no.png", b"a text" * 100)
    refused = page.get_by_role("region", name="Uploads").get_by_role("listitem")
    expect(refused).to_contain_text("JPEG")
    watch.expect_status(415)


def test_the_viewer_by_keyboard(page: Page, person: str) -> None:
    ids = [store(page, name) for name in ("first", "second", "third")]
    page.goto("/pictures")
    tile(page, "second").press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading")).to_have_text("second")
    expect(page).to_have_url(re.compile(f"/pictures/{ids[1]}$"))
    expect_drawn(dialog.get_by_role("img"))
    page.keyboard.press("ArrowRight")
    expect(dialog.get_by_role("heading")).to_have_text("first")
    expect(page).to_have_url(re.compile(f"/pictures/{ids[0]}$"))
    expect(dialog.get_by_role("button", name="Next picture")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(tile(page, "first")).to_be_focused()
    expect(page).to_have_url(re.compile("/pictures$"))


def test_back_closes_the_viewer_and_its_address_can_be_loaded_again(
    page: Page, person: str
) -> None:
    for name in ("older", "newer"):
        store(page, name)
    page.goto("/pictures")
    tile(page, "newer").click()
    dialog = page.get_by_role("dialog")
    page.go_back()
    expect(dialog).to_be_hidden()
    page.go_forward()
    expect(dialog.get_by_role("heading")).to_have_text("newer")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("newer")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("heading", level=1)).to_have_text("older")
    page.keyboard.press("Escape")
    expect(tile(page, "older")).to_be_visible()


def width_of(image: Any) -> float:  # noqa: ANN401 - a locator
    return float(image.evaluate("e => e.getBoundingClientRect().width"))


def test_only_an_original_is_enlarged(live: Service, page: Page, person: str) -> None:
    store(page, "hill")
    page.goto("/pictures")
    expect(page.get_by_text("with this tier you can't open or download")).to_be_visible()
    tile(page, "hill").click()
    image = page.get_by_role("dialog").get_by_role("img")
    expect_drawn(image)
    for key in ("+", "+"):
        page.keyboard.press(key)
    assert width_of(image) == 300  # of a thumbnail 200 px high
    give_tier(live, person, "Enterprise")
    page.goto("/pictures")
    expect(page.get_by_text("with this tier")).to_have_count(0)
    tile(page, "hill").click()
    expect_drawn(image)
    assert width_of(image) == 600
    page.keyboard.press("+")
    assert pytest.approx(width_of(image)) == 840
    page.keyboard.press("-")
    assert pytest.approx(width_of(image)) == 600
    image.dblclick()
    assert pytest.approx(width_of(image)) == 1500
    page.mouse.move(640, 400)
    page.mouse.wheel(0, 10_000)
    expect(page.locator(".stage")).not_to_have_class(re.compile("zoomed"))


def test_swiping_turns_to_the_next(open_page: OpenPage, sign_up: SignUp) -> None:
    page = open_page(viewport=PHONE, has_touch=True)
    sign_up(page)
    for name in ("older", "newer"):
        store(page, name)
    page.goto("/pictures")
    tile(page, "newer").tap()
    heading = page.get_by_role("dialog").get_by_role("heading")
    expect(heading).to_have_text("newer")
    for start, end, name in ((300, 100, "older"), (100, 300, "newer"), (100, 300, "newer")):
        page.mouse.move(start, 400)
        page.mouse.down()
        page.mouse.move(end, 400, steps=3)
        page.mouse.up()
        expect(heading).to_have_text(name)


def test_a_long_press_selects_at_the_corner_too(open_page: OpenPage, sign_up: SignUp) -> None:
    page = open_page(viewport=PHONE, has_touch=True, is_mobile=True)
    sign_up(page)
    store(page, "hill")
    page.goto("/pictures")
    box = tile(page, "hill").bounding_box() or {}
    fingers = page.context.new_cdp_session(page)

    def touch(kind: str, *points: dict[str, float]) -> None:
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [*points]})

    touch("touchStart", {"x": box["x"] + 20, "y": box["y"] + 20})  # where the check comes
    bar = page.get_by_role("form", name="Selected pictures")
    expect(bar).to_contain_text("1 selected")
    touch("touchEnd")
    page.evaluate("new Promise(requestAnimationFrame)")
    expect(bar).to_contain_text("1 selected")


def test_renaming_and_deleting(page: Page, person: str) -> None:
    for name in ("old", "other"):
        store(page, name)
    page.goto("/pictures")
    page.on("dialog", lambda question: question.accept())
    tile(page, "old").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Name and facts").click()
    expect(dialog).to_contain_text(re.compile("600 . 400, PNG"))
    dialog.get_by_label("Name", exact=True).fill(HOSTILE)
    dialog.get_by_label("Name", exact=True).press("Enter")
    expect(dialog.get_by_role("heading")).to_have_text(HOSTILE)
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    page.get_by_role("link", name="All pictures").click()
    tile(page, HOSTILE).click()
    dialog.get_by_role("button", name="Delete").click()
    expect(dialog.get_by_role("heading")).to_have_text("other")  # that beside it
    page.keyboard.press("Escape")
    expect(tile(page, "other")).to_be_focused()
    expect(page).to_have_url(re.compile("/pictures$"))
    page.reload()
    expect(page.locator(".tile")).to_have_count(1)


def test_several_are_selected_and_deleted(page: Page, person: str) -> None:
    for name in ("one", "two", "three", "four"):
        store(page, name, pictures.plain(size=(300, 200)))
    page.goto("/pictures")
    bar = page.get_by_role("form", name="Selected pictures")
    expect(bar).to_be_hidden()
    tile(page, "three").hover()
    page.get_by_label("Select three").check()
    tile(page, "one").click(modifiers=["Shift"])
    expect(bar).to_contain_text("3 selected")
    tile(page, "two").click()  # selects, and opens nothing
    expect(bar).to_contain_text("2 selected")
    expect(page.get_by_role("button", name="Make an album")).to_have_count(0)
    page.on("dialog", lambda question: question.accept())
    bar.get_by_role("button", name="Delete").click()
    expect(page.locator(".tile")).to_have_count(2)
    expect(bar).to_be_hidden()
    page.reload()
    assert page.locator(".tile .name").all_inner_texts() == ["four", "two"]


def test_without_scripts(open_page: OpenPage, sign_up: SignUp) -> None:
    page = open_page(java_script_enabled=False)
    sign_up(page)
    page.goto("/pictures")
    files: Any = [
        {"name": f"{name}.png", "mimeType": "image/png", "buffer": LANDSCAPE}
        for name in ("older", "newer")
    ]
    page.locator("#picker").set_input_files(files)
    page.get_by_role("button", name="Upload").click()
    tile(page, "newer").click()
    expect(page.get_by_role("img", name="newer")).to_be_visible()
    page.get_by_label("Name", exact=True).fill("renamed")
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("renamed")
    page.get_by_role("link", name="Next picture").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("older")
    page.get_by_role("button", name="Delete").click()
    expect(page.locator(".tile")).to_have_count(1)


def test_what_the_tier_allows(live: Service, page: Page, person: str) -> None:
    name = "for others"
    picture = store(page, name)
    page.goto("/pictures")
    tile(page, name).click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Delete")).to_be_visible()
    expect(dialog.get_by_role("link")).to_have_count(0)
    give_tier(live, person, "Enterprise")
    page.goto("/pictures")
    tile(page, name).click()
    with page.expect_download() as download:
        dialog.get_by_role("link", name="Download the original").click()
    assert download.value.path().read_bytes() == LANDSCAPE
    link = dialog.get_by_role("link", name="Link for others")
    expect(link).to_have_attribute("href", re.compile(rf"/links\?kind=picture&id={picture}$"))
    link.click()
    made = page.get_by_role("dialog", name=f"A link to {name}")
    made.get_by_role("button", name="Make the link").click()
    expect(made.get_by_role("link")).to_have_attribute("href", re.compile("/t/"))
    made.get_by_role("button", name="Close").click()
    page.keyboard.press("Escape")
    page.get_by_label(f"Select {name}").check(force=True)
    page.get_by_role("button", name="Make an album").click()
    album = page.get_by_role("dialog", name="Make an album")
    album.get_by_label("Name").fill("Harbours")
    album.get_by_role("button", name="Make the album").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Harbours")
    own = page.url
    page.locator("a.address").click()
    expect(page.locator("main")).to_contain_text("1 picture")
    page.get_by_role("link", name=f"{name}.png", exact=True).click()
    shown = page.get_by_role("dialog")
    expect_drawn(shown.get_by_role("img"))
    assert width_of(shown.get_by_role("img")) == 600
    with page.expect_download() as download:
        shown.get_by_role("link", name="Download").click()
    assert download.value.path().read_bytes() == LANDSCAPE
    page.reload()  # its page
    expect_drawn(page.get_by_role("img", name=f"Preview of {name}.png"))
    page.get_by_role("link", name="All of Harbours").click()
    expect(page.locator(".tile")).to_have_count(1)
    page.goto(own)
    page.on("dialog", lambda question: question.accept())
    page.get_by_label(f"Select {name}").check(force=True)
    page.get_by_role("button", name="Take out").click()
    expect(page.locator(".tile")).to_have_count(0)
    page.reload()
    expect(page.get_by_text("Nothing is in it any more")).to_be_visible()
    page.get_by_role("link", name="All pictures").click()
    expect(page.locator(".tile")).to_have_count(1)


def test_more_come_as_one_scrolls(page: Page, person: str) -> None:
    for number in range(62):
        store(page, f"picture {number}", pictures.plain(size=(30, 20)))
    page.goto("/pictures")
    expect(page.locator(".tile").first).to_be_visible()
    second = page.locator("#more").get_attribute("href")
    tile(page, "picture 2").scroll_into_view_if_needed()  # the last of the first page
    expect(page.locator(".tile")).to_have_count(62)
    expect(page.get_by_role("link", name="Show more")).to_have_count(0)
    names = page.locator(".tile .name").all_inner_texts()
    assert names == [f"picture {number}" for number in reversed(range(62))]
    page.goto(second or "")
    expect(page.locator(".tile")).to_have_count(2)


@pytest.mark.parametrize("viewport", [PHONE, LAPTOP], ids=["phone", "laptop"])
def test_it_fits_the_screen(open_page: OpenPage, sign_up: SignUp, viewport: dict[str, int]) -> None:
    page = open_page(viewport=viewport)
    sign_up(page)
    page.goto("/pictures")
    assert fits(page)
    store(page, "a" * 255, pictures.plain(size=(2000, 50)))
    page.reload()
    assert fits(page)
    page.locator(".tile a").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    page.get_by_role("button", name="Name and facts").click()
    assert fits(page)
    assert page.get_by_role("dialog").evaluate("e => e.scrollWidth <= e.clientWidth")
