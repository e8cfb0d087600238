"""The page for sending, in a real browser: many files, their links, and the list of them."""

import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Locator, Page, expect

from tests import plain_http
from tests.pages.conftest import LAPTOP, PHONE, OpenPage, SignUp, Watch, fits, from_menu
from tests.system.processes import Service

LONG = "a-name-without-any-place-where-it-could-be-broken-but-anywhere" * 2 + ".txt"


def file(name: str, data: bytes = b"hello") -> FilePayload:
    return {"name": name, "mimeType": "text/plain", "buffer": data}


@pytest.fixture
def send_page(kept_page: Page, sign_up: SignUp) -> Page:
    """The page of somebody who has just signed up, which gives each file a link."""
    page = kept_page
    sign_up(page)
    page.goto("/file/load")
    page.get_by_label("Several files get one link").uncheck()
    return page


def choose(page: Page, *files: FilePayload) -> None:
    page.get_by_label("Choose files").set_input_files(files)


def sent(page: Page, name: str) -> Locator:
    """The card of a file that has been sent."""
    return page.get_by_role("list", name="Files just sent").locator(".sent", has_text=name)


def rows(page: Page) -> Locator:
    return page.get_by_role("region", name="Your files").get_by_role("listitem")


def hand(page: Page, kind: str, target: str, *files: tuple[str, str]) -> None:
    """Drop files on an element, or paste them there."""
    script = """([kind, target, files]) => {
        const data = new DataTransfer();
        for (const [name, text] of files) data.items.add(new File([text], name));
        const event = kind === "drop"
            ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })
            : new ClipboardEvent("paste", { clipboardData: data, bubbles: true });
        document.querySelector(target).dispatchEvent(event);
    }"""
    page.evaluate(script, [kind, target, files])


def keep(page: Page, *names: str) -> None:
    """Send files that are kept; each is its name."""
    for name in names:
        answer = page.request.put(f"/v1/send/{name}?expires_in=0", data=name.encode())
        assert answer.status == 201


@contextmanager
def slowed(page: Page) -> Iterator[None]:
    """Let the page send 200 kB a second in the context."""
    session = page.context.new_cdp_session(page)
    speed = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": 200_000}
    session.send("Network.emulateNetworkConditions", {"offline": False} | speed)
    try:
        yield
    finally:
        session.detach()


def test_several_files_get_a_link_each(send_page: Page) -> None:
    page = send_page
    choose(page, file("one.txt", b"first"), file("two.txt", b"second"))
    for name, data in (("one.txt", b"first"), ("two.txt", b"second")):
        card = sent(page, name)
        expect(card).to_contain_text("expires in 2 h")
        link = card.get_by_role("link")
        expect(link).to_have_attribute("href", re.compile(r"/t/[\w-]{22}$"))
        assert plain_http.get(link.get_attribute("href") or "").content == data
        image = card.get_by_role("img", name="QR code")
        expect(image).to_be_visible()
        page.wait_for_function("i => i.complete && i.naturalWidth > 0", arg=image.element_handle())
    expect(page.get_by_role("status").first).to_have_text("2 files are sent")
    expect(rows(page)).to_have_count(2)
    expect(rows(page).first).to_contain_text("h left")


def test_links_are_copied(open_page: OpenPage, sign_up: SignUp) -> None:
    page = open_page(permissions=["clipboard-read", "clipboard-write"])
    sign_up(page)
    page.goto("/file/load")
    choose(page, file("one.txt"))
    link = sent(page, "one.txt").get_by_role("link").get_attribute("href")
    button = sent(page, "one.txt").get_by_role("button", name="Copy the link to one.txt")
    button.click()
    expect(button).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == link
    page.evaluate("navigator.clipboard.writeText('')")
    of_row = rows(page).get_by_role("button", name="Copy the link to one.txt")
    of_row.click()
    page.wait_for_function("async link => await navigator.clipboard.readText() === link", arg=link)
    expect(of_row.locator("use")).to_have_attribute("href", re.compile("#check$"))
    expect(of_row.locator("use")).to_have_attribute("href", re.compile("#copy$"))
    # as on a page that isn't https
    page.evaluate("""async () => {
        await navigator.clipboard.writeText("");
        navigator.clipboard.writeText = () => Promise.reject(new Error("not allowed"));
    }""")
    expect(button).to_have_text("Copy link")
    button.focus()
    page.keyboard.press("Enter")
    expect(button).to_have_text("Copied")
    expect(button).to_be_focused()
    assert page.evaluate("navigator.clipboard.readText()") == link


def test_files_are_dropped_and_pasted(send_page: Page) -> None:
    hand(send_page, "drop", ".lead", ("one.txt", "1"), ("two.txt", "2"))
    expect(send_page.locator(".sent")).to_have_count(2)
    hand(send_page, "paste", "body", ("three.txt", "3"))
    expect(rows(send_page)).to_have_count(3)
    expect(rows(send_page).first).to_contain_text("three.txt")


def test_the_choice_of_an_end(send_page: Page) -> None:
    page = send_page
    page.get_by_label("Expire", exact=True).select_option("after 7 days")
    choose(page, file("week.txt"))
    expect(sent(page, "week.txt")).to_contain_text("expires in 7 d")
    page.get_by_label("Expire", exact=True).select_option("0")
    choose(page, file("kept.txt"))
    expect(sent(page, "kept.txt")).to_contain_text("kept until you delete it")
    expect(sent(page, "kept.txt").get_by_role("img")).to_have_count(0)
    row = rows(page).filter(has_text="kept.txt")
    expect(row).not_to_contain_text("left")
    make_link = from_menu(row, "Make a link to kept.txt", "kept.txt")
    expect(make_link).to_have_attribute("href", re.compile(r"/links\?kind=file&id=[0-9a-f-]{36}"))
    make_link.click()
    dialog = page.get_by_role("dialog", name="A link to kept.txt")
    dialog.get_by_label("Expires after").select_option("1 day")
    dialog.get_by_label("Downloads").fill("2")
    dialog.get_by_role("button", name="Make the link").click()
    link = dialog.get_by_role("link").get_attribute("href") or ""
    assert plain_http.get(link).json()["downloads_left"] == 2
    dialog.get_by_role("button", name="Close").click()
    expect(row.get_by_role("button", name="Copy the link to kept.txt")).to_be_visible()


def test_options_hold_for_the_link_and_are_changed(send_page: Page) -> None:
    page = send_page
    page.get_by_text("Options", exact=True).click()
    options = page.locator(".options")
    options.get_by_label("Downloads").fill("3")
    options.get_by_label("Password").fill("blue whale")
    options.get_by_label("Note").fill("The photos of Sunday")
    choose(page, file("one.txt", b"first"))
    expect(sent(page, "one.txt")).to_contain_text("deleted after 3 downloads, with a password")
    link = sent(page, "one.txt").get_by_role("link").get_attribute("href") or ""
    facts = plain_http.get(link, auth=("", "blue whale")).json()
    assert (facts["downloads_left"], facts["note"]) == (3, "The photos of Sunday")
    assert plain_http.get(link).status_code == 401

    expect(rows(page).first).to_contain_text("0 of 3 downloads")
    from_menu(rows(page), "Change one.txt", "one.txt").click()
    dialog = page.get_by_role("dialog", name="Change one.txt")
    dialog.get_by_label("Downloads").fill("")
    dialog.get_by_label("Remove the password").check()
    dialog.get_by_label("Note").fill("For all of you")
    dialog.get_by_role("button", name="Save").click()
    expect(rows(page).first).not_to_contain_text("downloads")
    expect(dialog).to_be_hidden()
    assert plain_http.get(link).content == b"first"
    assert "For all of you" in plain_http.get(link, headers={"Accept": "text/html"}).text


@pytest.mark.slow
def test_an_upload_shows_how_far_it_is_and_is_cancelled(send_page: Page) -> None:
    page = send_page
    with slowed(page):
        choose(page, *(file(f"{n}.bin", b"x" * 1_000_000) for n in range(5)))
        uploads = page.get_by_role("region", name="Uploads")
        moving = uploads.get_by_role("listitem").filter(has=page.get_by_label("Progress of 0.bin"))
        expect(moving).to_contain_text(re.compile(r"KiB of 977 KiB, .*/s, .* left"))
        expect(uploads.get_by_text("Waiting")).to_have_count(2)
        expect(uploads).to_contain_text("0 of 5 files")
        for n in (4, 1, 0, 2, 3):
            page.get_by_role("button", name=f"Cancel {n}.bin").click()
            expect(page.get_by_label(f"Progress of {n}.bin")).to_have_count(0)
        expect(page.locator("#said")).to_have_text("3.bin is cancelled")
        expect(uploads).to_be_hidden()
        assert page.request.get("/v1/files").json()["items"] == []
    choose(page, file("small.txt"))  # nobody holds the turns of those
    expect(sent(page, "small.txt")).to_be_visible()


def test_an_upload_that_fails_says_why(send_page: Page, watch: Watch) -> None:
    page = send_page
    answer = {"detail": "The account's quota does not allow this"}
    page.route("**/v1/uploads", lambda route: route.fulfill(status=413, json=answer))
    choose(page, file("one.txt"))
    uploads = page.get_by_role("region", name="Uploads")
    expect(uploads.get_by_text(answer["detail"])).to_be_visible()
    watch.expect_status(413)
    page.unroute("**/v1/uploads")
    page.get_by_role("button", name="Try again one.txt").click()
    expect(sent(page, "one.txt")).to_be_visible()
    expect(uploads).to_be_hidden()


def test_a_file_is_downloaded_and_deleted(send_page: Page) -> None:
    page = send_page
    choose(page, file("one.txt"), file("two.txt", b"second"))
    for name in ("one.txt", "two.txt"):  # what appears meanwhile moves what is clicked
        expect(sent(page, name)).to_be_visible()
    expect(rows(page)).to_have_count(2)
    with page.expect_download() as download:
        from_menu(page, "Download two.txt", "two.txt").click()
    assert download.value.suggested_filename == "two.txt"
    assert Path(download.value.path()).read_bytes() == b"second"
    page.once("dialog", lambda dialog: dialog.dismiss())
    from_menu(page, "Delete two.txt", "two.txt").click()
    expect(rows(page)).to_have_count(2)
    page.once("dialog", lambda dialog: dialog.accept())
    from_menu(page, "Delete two.txt", "two.txt").press("Enter")
    expect(rows(page)).to_have_count(1)
    expect(page.get_by_role("button", name="More for one.txt")).to_be_focused()
    page.once("dialog", lambda dialog: dialog.accept())
    for key in ("ArrowDown", "End", "Enter"):
        page.keyboard.press(key)
    expect(page.get_by_text("Nothing here yet.")).to_be_visible()
    assert page.request.get("/v1/files").json()["items"] == []


def test_a_qr_code_opens_large(send_page: Page) -> None:
    page = send_page
    choose(page, file("one.txt"))
    opener = rows(page).get_by_role("link", name="QR code of the link to one.txt")
    opener.press("Enter")
    dialog = page.get_by_role("dialog", name="one.txt")
    image = dialog.get_by_role("img", name="QR code of the link to one.txt")
    page.wait_for_function("i => i.complete && i.naturalWidth > 0", arg=image.element_handle())
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(opener).to_be_focused()


def test_older_files_are_loaded(send_page: Page) -> None:
    page = send_page
    sort = page.get_by_label("Sort by")
    keep(page, *(f"{n}.txt" for n in range(120)))
    page.reload()
    expect(rows(page)).to_have_count(100)
    page.get_by_role("link", name="Older files").press("Enter")
    expect(rows(page)).to_have_count(120)
    expect(rows(page).nth(100).get_by_role("link", name="19.txt", exact=True)).to_be_focused()
    expect(page.get_by_role("link", name="Older files")).to_have_count(0)
    choose(page, file("fresh.txt"))  # what was loaded stays when more comes
    expect(rows(page)).to_have_count(121)
    expect(rows(page).first).to_contain_text("fresh.txt")

    page.get_by_label("Search by name").press_sequentially("11")
    expect(rows(page)).to_have_count(11)
    expect(page).to_have_url(re.compile(r"q=11"))
    sort.select_option("By name")
    expect(rows(page).first).to_contain_text("11.txt")
    expect(rows(page).nth(1)).to_contain_text("110.txt")
    page.reload()
    expect(sort).to_have_value("name")
    page.get_by_label("Search by name").fill("nowhere")
    expect(page.get_by_text("No name contains “nowhere”.")).to_be_visible()
    page.get_by_label("Search by name").fill("")
    expect(rows(page)).to_have_count(100)
    page.get_by_role("link", name="More files").click()
    expect(rows(page)).to_have_count(121)


def test_several_are_selected_and_taken_together(send_page: Page) -> None:
    page = send_page
    keep(page, "a.txt", "b.txt", "c.txt", "d.txt", "e.txt", "f.txt")
    page.reload()
    bar = page.get_by_role("form", name="Selected files")
    box = page.get_by_role("checkbox", name="Select").filter(visible=True)
    box.nth(0).check()
    box.nth(3).click(modifiers=["Shift"])
    expect(bar).to_contain_text("4 selected")
    rows(page).nth(1).get_by_text("kept").click()  # goes on anywhere on a row
    expect(bar).to_contain_text("3 selected")
    with page.expect_download() as download:
        bar.get_by_role("button", name="Download").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert archive.namelist() == ["f.txt", "d.txt", "c.txt"]
        assert archive.read("d.txt") == b"d.txt"
    page.keyboard.press("Escape")
    expect(bar).to_be_hidden()
    rows(page).nth(5).get_by_text("kept").click(modifiers=["Control"])
    rows(page).nth(4).get_by_text("kept").click(modifiers=["Shift"])
    page.once("dialog", lambda dialog: dialog.accept())
    bar.get_by_role("button", name="Delete").click()
    expect(rows(page)).to_have_count(4)
    expect(page.locator("#said")).to_have_text("2 files deleted")
    box.nth(0).check()
    bar.get_by_role("button", name="Select all").click()
    bar.get_by_role("button", name="One link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("4 files")
    link = page.get_by_role("link", name="/t/").get_attribute("href") or ""
    assert plain_http.get(link, headers={"Accept": "application/json"}).json()["count"] == 4


def test_a_long_press_begins_a_selection(open_page: OpenPage, sign_up: SignUp) -> None:
    page = open_page(viewport=PHONE, has_touch=True, is_mobile=True)
    sign_up(page)
    keep(page, "a.txt", "b.txt")
    page.goto("/file/load")
    row = rows(page).first
    touch = {"pointerType": "touch", "isPrimary": True, "bubbles": True, "clientX": 9, "clientY": 9}
    row.dispatch_event("pointerdown", touch)
    bar = page.get_by_role("form", name="Selected files")
    expect(bar).to_contain_text("1 selected")
    row.dispatch_event("pointerup", touch)
    row.dispatch_event("click", touch)  # which a browser adds
    expect(bar).to_contain_text("1 selected")
    rows(page).nth(1).tap(position={"x": 100, "y": 20})
    expect(bar).to_contain_text("2 selected")
    assert fits(page)


def test_what_has_expired_disappears(send_page: Page) -> None:
    assert send_page.request.put("/v1/send/short.txt?expires_in=2", data=b"x").status == 201
    send_page.reload()
    expect(rows(send_page)).to_have_count(1)
    expect(rows(send_page)).to_have_count(0)


def test_the_form_without_scripts(open_page: OpenPage, sign_up: SignUp, live: Service) -> None:
    page = open_page(java_script_enabled=False, viewport=PHONE)
    sign_up(page)
    page.goto("/file/load")
    page.get_by_label("Choose files").set_input_files(file("one.txt", b"without"))
    page.get_by_label("Expire", exact=True).select_option("after 1 hour")
    page.get_by_text("Options", exact=True).click()
    page.locator(".options").get_by_label("Note").fill("To <you>")
    assert fits(page)
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.get_by_role("heading")).to_have_text("one.txt is sent")
    expect(page.get_by_role("img", name="QR code")).to_be_visible()
    assert fits(page)
    link = page.get_by_role("link", name="/t/")
    assert plain_http.get(link.get_attribute("href") or "").content == b"without"
    shown = plain_http.get(link.get_attribute("href") or "", headers={"Accept": "text/html"})
    assert "To &lt;you&gt;" in shown.text
    page.get_by_role("link", name="see all files").click()
    expect(rows(page)).to_have_count(1)
    page.get_by_role("button", name="More for one.txt").click()  # a browser does this by itself
    expect(page.get_by_role("link", name="Download one.txt")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^(Delete|Copy)"))).to_have_count(0)


@pytest.mark.slow("laptop")
@pytest.mark.parametrize("viewport", [PHONE, LAPTOP], ids=["phone", "laptop"])
def test_it_fits_its_window(open_page: OpenPage, sign_up: SignUp, viewport: dict[str, int]) -> None:
    page = open_page(viewport=viewport)
    sign_up(page)
    page.goto("/file/load")
    choose(page, file(LONG))
    expect(rows(page)).to_have_count(1)
    assert fits(page)
    with slowed(page):
        choose(page, file("x" + LONG, b"x" * 1_000_000))
        expect(page.get_by_role("progressbar")).to_be_visible()
        assert fits(page)
        page.get_by_role("button", name=f"Cancel x{LONG}").click()
    menu = from_menu(rows(page), "Delete", LONG).locator("..")
    box = menu.bounding_box()
    assert box is not None
    assert 0 <= box["x"] <= box["x"] + box["width"] <= viewport["width"]
    assert 0 <= box["y"] <= box["y"] + box["height"] <= viewport["height"]
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(rows(page).get_by_role("button", name="More for")).to_be_focused()
    rows(page).get_by_role("link", name="QR code").click()
    assert fits(page)
