"""The page of the buffer in real browsers: what one puts in, another shows at once."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Locator, Page, expect

from tests import pictures
from tests.pages.conftest import LAPTOP, PASSWORD, PHONE, OpenPage, SignUp, Watch, fits
from tests.pages.test_send import hand, slowed

AT_ONCE = 1000.0  # ms
LIVE = "Live: changes show up here by themselves."
TEXT = "see you at eight,\n  <b>not</b> at nine"

Pair = tuple[Page, Page]


def image() -> FilePayload:
    return {"name": "pasted.png", "mimeType": "image/png", "buffer": pictures.plain()}


def file(name: str, data: bytes = b"hello") -> FilePayload:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": data}


@pytest.fixture(scope="module")
def devices(open_kept_page: OpenPage, sign_up: SignUp) -> Pair:
    """The pages of one person on a laptop and on a phone."""
    clipboard = ["clipboard-read", "clipboard-write"]
    laptop, phone = open_kept_page(), open_kept_page(viewport=PHONE, permissions=clipboard)
    name = sign_up(laptop)
    form: dict[str, str | float | bool] = {"username": name, "password": PASSWORD}
    assert phone.context.request.post("/account/login", form=form).ok
    return laptop, phone


@pytest.fixture
def pair(devices: Pair, watch: Watch) -> Pair:
    """The pages of the person's devices, both live; nothing is or was in the buffer."""
    laptop, phone = devices
    phone.context.set_offline(False)
    for path in ("/v1/buffer", "/v1/buffer/history"):
        laptop.request.delete(path)
    for page in devices:
        watch.over(page)
        page.goto("/file/buffer")
        expect(page.get_by_text(LIVE)).to_be_visible()
        expect(current(page)).to_contain_text("Empty.")
        expect(before(page)).to_have_count(0)
    return devices


def current(page: Page) -> Locator:
    return page.get_by_role("region", name="In it now")


def shown(page: Page) -> Locator:
    return current(page).get_by_role("region", name="The text")


def put_text(page: Page, text: str) -> None:
    """Put a text in; returns when the service has it."""
    page.get_by_label("Text", exact=True).fill(text)
    with page.expect_response("**/v1/buffer"):
        page.get_by_role("button", name="Share text").click()


def put_file(page: Page, payload: FilePayload) -> None:
    """Put a file in; returns when the service has it."""
    with page.expect_response("**/v1/uploads"):
        page.get_by_label("Choose a file").set_input_files(payload)


def is_loaded(page: Page, element: Locator) -> None:
    """Wait until an image is there, of the size of `image`."""
    script = "i => i.complete && i.naturalWidth === 600"
    page.wait_for_function(script, arg=element.element_handle())


def test_a_text_shows_on_the_other_device_within_a_second(pair: Pair) -> None:
    laptop, phone = pair
    put_text(laptop, TEXT)
    expect(shown(phone)).to_have_text(TEXT, timeout=AT_ONCE, use_inner_text=True)
    expect(laptop.get_by_label("Text", exact=True)).to_have_value("")
    expect(phone.locator("#said")).to_have_text(f"In the buffer now: a text, {len(TEXT)} bytes")
    expect(current(phone)).to_contain_text(re.compile(r"2 h left|1 h 59 min left"))
    phone.get_by_role("button", name="Copy").click()
    expect(phone.get_by_role("button", name="Copied")).to_be_visible()
    assert phone.evaluate("navigator.clipboard.readText()") == TEXT
    put_text(phone, "back")
    expect(shown(laptop)).to_have_text("back", timeout=AT_ONCE)


def test_a_pasted_image_shows_on_the_other_device_within_a_second(pair: Pair) -> None:
    laptop, phone = pair
    with laptop.expect_response("**/v1/uploads"):
        hand(laptop, "paste", "body", ("pasted.svg", "<svg xmlns='http://www.w3.org/2000/svg'/>"))
    expect(current(phone)).to_contain_text("pasted.svg", timeout=AT_ONCE)
    expect(current(phone).get_by_role("img")).to_have_count(0)  # it may hold scripts
    put_file(laptop, image())
    inline = current(phone).get_by_role("img", name="pasted.png")
    expect(inline).to_be_visible(timeout=AT_ONCE)
    is_loaded(phone, inline)
    other = pictures.plain(size=(60, 40))
    put_file(laptop, file("pasted.png", other))
    script = "() => document.querySelector('#current img')?.naturalWidth === 60"
    phone.wait_for_function(script, timeout=AT_ONCE)  # not the one that the browser has


def test_a_file_shows_on_the_other_device_within_a_second(pair: Pair) -> None:
    laptop, phone = pair
    put_file(laptop, file("wïth spaces.bin", b"\0\1\2"))
    expect(current(phone)).to_contain_text("wïth spaces.bin", timeout=AT_ONCE)
    with phone.expect_download() as download:
        phone.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == "wïth spaces.bin"
    assert Path(download.value.path()).read_bytes() == b"\0\1\2"


def test_it_is_cleared_for_all(pair: Pair) -> None:
    laptop, phone = pair
    put_text(laptop, TEXT)
    expect(shown(phone)).to_be_visible()
    phone.get_by_role("button", name="Clear").press("Enter")
    expect(current(phone)).to_be_focused()
    for page in pair:
        expect(current(page)).to_contain_text("Empty.", timeout=AT_ONCE)
        expect(page.locator("#said")).to_have_text("The buffer is empty")


def before(page: Page) -> Locator:
    return page.get_by_role("region", name="In it before").get_by_role("listitem")


def test_what_was_in_it_is_brought_back_and_deleted(pair: Pair) -> None:
    laptop, phone = pair
    put_text(laptop, "see https://example.org/a?b=1, <b>not</b> bold")
    put_text(laptop, "the second")
    put_file(laptop, image())
    expect(before(phone)).to_have_count(2)
    link = before(phone).nth(1).get_by_role("link", name="https://example.org/a?b=1", exact=True)
    expect(link).to_have_attribute("rel", re.compile("noopener"))
    before(phone).nth(1).get_by_role("button", name="Bring back").click()
    expect(shown(laptop)).to_have_text("see https://example.org/a?b=1, <b>not</b> bold")
    expect(shown(laptop).get_by_role("link")).to_have_attribute("href", "https://example.org/a?b=1")
    expect(before(laptop).first.get_by_text("pasted.png")).to_be_visible()
    before(laptop).first.get_by_role("button", name="Delete pasted.png").click()
    expect(before(laptop)).to_have_count(1)
    expect(before(laptop).first).to_contain_text("the second")


@pytest.mark.slow
def test_an_image_is_copied_as_an_image(pair: Pair) -> None:
    _, phone = pair
    put_file(phone, image())
    phone.get_by_role("button", name="Copy image").click()
    expect(phone.get_by_role("button", name="Copied")).to_be_visible()
    types = phone.evaluate("navigator.clipboard.read().then(items => items[0].types)")
    assert types == ["image/png"]


def test_text_is_pasted_anywhere(pair: Pair) -> None:
    laptop, phone = pair
    script = """text => {
        const clipboardData = new DataTransfer();
        clipboardData.setData("text/plain", text);
        document.querySelector(".lead").dispatchEvent(
            new ClipboardEvent("paste", { clipboardData, bubbles: true }));
    }"""
    laptop.evaluate(script, TEXT)
    expect(shown(phone)).to_have_text(TEXT, use_inner_text=True)


def test_the_keyboard_sends(pair: Pair) -> None:
    laptop, phone = pair
    laptop.get_by_label("Text", exact=True).fill("typed")
    laptop.get_by_label("Text", exact=True).press("Control+Enter")
    expect(shown(phone)).to_have_text("typed")


def test_a_long_text_is_copied_whole(pair: Pair) -> None:
    _, phone = pair
    text = "".join(f"line {n}\n" for n in range(40_000))
    answer = phone.context.request.put(
        "/v1/buffer", data=text, headers={"X-Data-Type": "text", "Content-Type": "text/plain"}
    )
    assert answer.ok
    beginning = current(phone).get_by_role("region", name="The beginning of the text")
    expect(beginning).to_contain_text("line 100\n")
    assert len(beginning.inner_text()) < len(text)
    assert fits(phone)
    phone.get_by_role("button", name="Copy").click()
    expect(phone.get_by_role("button", name="Copied")).to_be_visible()
    assert phone.evaluate("navigator.clipboard.readText()") == text


def test_several_files_are_for_another_page(pair: Pair) -> None:
    laptop, phone = pair
    hand(laptop, "drop", ".drop", ("one.txt", "1"), ("two.txt", "2"))
    expect(laptop.get_by_role("alert")).to_contain_text("one thing at a time")
    hand(laptop, "drop", ".drop", ("one.txt", "1"))
    expect(current(phone)).to_contain_text("one.txt")
    expect(laptop.get_by_role("alert")).to_be_hidden()


@pytest.mark.slow
def test_an_upload_is_cancelled(pair: Pair) -> None:
    laptop, phone = pair
    put_text(laptop, TEXT)
    with slowed(laptop):
        laptop.get_by_label("Choose a file").set_input_files(file("large.bin", b"x" * 1_000_000))
        on_its_way = laptop.get_by_role("region", name="Uploads")
        expect(on_its_way).to_contain_text(re.compile(r"KiB of 977 KiB, .*/s, .* left"))
        laptop.get_by_role("button", name="Cancel large.bin").click()
        expect(on_its_way).to_be_hidden()
    expect(shown(phone)).to_have_text(TEXT, use_inner_text=True)


def test_it_connects_again(pair: Pair, watch: Watch) -> None:
    laptop, phone = pair
    phone.context.set_offline(True)
    phone.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(phone.get_by_text("Not connected.")).to_be_visible()
    put_text(laptop, TEXT)
    phone.context.set_offline(False)
    expect(shown(phone)).to_have_text(TEXT, use_inner_text=True)
    expect(phone.get_by_text(LIVE)).to_be_visible()
    watch.complaints = [text for text in watch.complaints if "ERR_INTERNET_DISC" not in text]


def test_a_page_fetches_itself_once_for_each_change(pair: Pair) -> None:
    laptop, _ = pair
    requests: list[str] = []
    laptop.on("request", lambda request: requests.append(request.url))
    put_text(laptop, TEXT)
    expect(shown(laptop)).to_be_visible()
    assert len([url for url in requests if url.endswith("/file/buffer")]) == 1


def test_the_forms_without_scripts(open_page: OpenPage, sign_up: SignUp) -> None:
    page = open_page(java_script_enabled=False, viewport=PHONE)
    sign_up(page)
    page.goto("/file/buffer")
    assert fits(page)
    page.get_by_label("Text", exact=True).fill("without scripts")
    page.get_by_role("button", name="Share text").click()
    expect(shown(page)).to_have_text("without scripts")
    expect(page.get_by_role("button", name=re.compile("Copy|Clear"))).to_have_count(0)
    page.get_by_label("Choose a file").set_input_files(image())
    page.get_by_role("button", name="Share file").click()
    expect(current(page).get_by_role("img", name="pasted.png")).to_be_visible()
    before(page).get_by_role("button", name="Bring back without scripts").click()
    expect(shown(page)).to_have_text("without scripts")
    before(page).get_by_role("button", name="Delete pasted.png").click()
    expect(before(page)).to_have_count(0)


@pytest.mark.slow("laptop")
@pytest.mark.parametrize("viewport", [PHONE, LAPTOP], ids=["phone", "laptop"])
def test_it_fits_its_window(open_page: OpenPage, sign_up: SignUp, viewport: dict[str, int]) -> None:
    page = open_page(viewport=viewport)
    sign_up(page)
    page.goto("/file/buffer")
    assert fits(page)
    put_text(page, "x" * 10_000)
    expect(shown(page)).to_be_visible()
    assert fits(page)
    put_file(page, file("x" * 200))
    expect(current(page)).to_contain_text("xxx")
    expect(shown(page)).to_have_count(0)
    assert fits(page)


def test_a_session_that_has_ended_leads_to_the_login(
    page: Page, sign_up: SignUp, watch: Watch
) -> None:
    sign_up(page)
    page.goto("/file/buffer")
    assert page.context.request.post("/account/logout").ok
    page.get_by_label("Text", exact=True).fill("lost")
    page.get_by_role("button", name="Share text").click()
    expect(page).to_have_url(re.compile(r"/account/login\?next=%2Ffile%2Fbuffer$"))
    watch.expect_status(401)
