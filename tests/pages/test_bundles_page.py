"""Several files under one link, in a real browser: sent, listed, downloaded, deleted."""

import io
import re
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import FilePayload, Page, expect

from tests import plain_http
from tests.pages.conftest import PHONE, OpenPage, SignUp, Watch, fits, from_menu

FILES = {"one.txt": b"first", "two.txt": b"second", "large": bytes(range(256)) * 2000}


def payload(name: str) -> FilePayload:
    return {"name": name, "mimeType": "text/plain", "buffer": FILES[name]}


@pytest.fixture
def send_page(page: Page, sign_up: SignUp) -> Page:
    """The page of somebody who has just signed up."""
    sign_up(page)
    page.goto("/file/load")
    return page


def contents(url: str) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(plain_http.get(url).raise_for_status().content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_files_that_are_chosen_together_get_one_link(send_page: Page) -> None:
    page = send_page
    page.get_by_label("Choose files").set_input_files([payload(name) for name in FILES])
    card = page.get_by_role("list", name="Files just sent").locator(".sent")
    expect(card).to_contain_text("3 files, 500 KiB, expires in 2 h")
    link = card.get_by_role("link").get_attribute("href") or ""
    assert re.search(r"/t/[\w-]{22}$", link)
    row = page.get_by_role("region", name="Your bundles").get_by_role("listitem")
    expect(row).to_contain_text("3 files")
    expect(row.get_by_text("open", exact=True)).to_have_count(0)  # closed: all are there
    assert contents(link) == FILES
    expect(page.get_by_role("region", name="Your files")).to_contain_text("Nothing here yet")

    visitor = page.context.new_page()
    visitor.goto(link)
    expect(visitor.get_by_role("listitem")).to_have_count(3)
    with visitor.expect_download() as download:
        visitor.get_by_role("link", name="Download two.txt").click()
    assert download.value.path().read_bytes() == FILES["two.txt"]
    with visitor.expect_download() as download:
        visitor.get_by_role("link", name="Download all").click()
    assert download.value.suggested_filename == "3 files.zip"
    visitor.get_by_role("link", name="one.txt", exact=True).click()
    expect(visitor.get_by_role("region", name="All of one.txt")).to_contain_text("first")
    visitor.get_by_role("link", name="All of 3 files").click()
    expect(visitor.get_by_role("listitem")).to_have_count(3)

    page.once("dialog", lambda dialog: dialog.accept())
    from_menu(row, "Delete 3 files", "3 files").click()
    expect(row).to_have_count(0)
    assert plain_http.get(link).status_code == 404


@pytest.mark.slow
def test_its_page_fits_a_phone_and_counts_down(
    open_page: OpenPage, sign_up: SignUp, watch: Watch
) -> None:
    watch.expect_status(403)
    page = open_page(viewport=PHONE)
    sign_up(page)
    page.goto("/file/load")
    page.get_by_text("Options", exact=True).click()
    page.get_by_label("Downloads").first.fill("2")
    page.get_by_label("Password").first.fill("grey heron")
    page.get_by_label("Choose files").set_input_files([payload(name) for name in FILES])
    card = page.get_by_role("list", name="Files just sent").locator(".sent")
    link = card.get_by_role("link").get_attribute("href") or ""
    expect(page.get_by_role("region", name="Your bundles")).to_contain_text("0 of 2 downloads")
    assert fits(page)

    page.goto(link)
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("alert")).to_have_text("This password is wrong.")
    page.get_by_label("Password").fill("grey heron")
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_role("listitem")).to_have_count(3)
    assert fits(page)
    for _ in range(2):  # the same again counts no further
        with page.expect_download() as download:
            page.get_by_role("listitem").first.get_by_role("button").click()
        assert download.value.path().read_bytes() == FILES["one.txt"]
        expect(page.locator("#downloads")).to_have_text("1")


@pytest.mark.slow
def test_several_are_sent_without_scripts(open_page: OpenPage, sign_up: SignUp) -> None:
    page = open_page(java_script_enabled=False)
    sign_up(page)
    page.goto("/file/load")
    page.locator("#picker").set_input_files([payload(name) for name in FILES])
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("one.txt and 2 more")
    link = page.locator(".address a").get_attribute("href") or ""
    page.goto(link)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download large").click()
    assert download.value.path().read_bytes() == FILES["large"]


@pytest.mark.slow
def test_what_was_begun_before_the_page_was_loaded_again_lands_in_its_bundle(
    send_page: Page, tmp_path: Path
) -> None:
    page = send_page
    film, note = tmp_path / "film.mkv", tmp_path / "note.txt"
    film.write_bytes(bytes(range(256)) * 10_000)
    note.write_bytes(b"a note")
    line = page.context.new_cdp_session(page)
    line.send("Network.enable")
    speed = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 100_000}
    line.send("Network.emulateNetworkConditions", speed)
    page.get_by_label("Choose files").set_input_files([film, note])
    bundles = page.get_by_role("region", name="Your bundles")
    expect(bundles).to_contain_text("1 file,")
    expect(page.get_by_role("region", name="Uploads")).to_contain_text("left")
    page.on("dialog", lambda dialog: dialog.accept())
    page.reload()
    expect(bundles.get_by_text("open", exact=True)).to_be_visible()
    expect(page.get_by_role("region", name="Uploads")).to_contain_text("choose film.mkv again")
    line.send("Network.emulateNetworkConditions", speed | {"uploadThroughput": -1})
    page.get_by_label("Choose files").set_input_files(film)
    expect(bundles).to_contain_text("2 files")
    expect(bundles.get_by_text("open", exact=True)).to_have_count(0)
    link = bundles.get_by_role("link", name="Show 2 files").get_attribute("href") or ""
    assert contents(link) == {"note.txt": b"a note", "film.mkv": film.read_bytes()}


@pytest.mark.slow
def test_a_bundle_of_which_all_is_cancelled_goes(send_page: Page) -> None:
    page = send_page
    line = page.context.new_cdp_session(page)
    line.send("Network.enable")
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 20_000}
    line.send("Network.emulateNetworkConditions", slow)
    large = [payload("large"), payload("large") | {"name": "other"}]
    page.get_by_label("Choose files").set_input_files(large)
    bundles = page.get_by_role("region", name="Your bundles")
    expect(bundles).to_contain_text("0 files")
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Cancel all").click()
    expect(bundles.get_by_role("listitem")).to_have_count(0)


def test_several_are_selected_apart_from_files(send_page: Page) -> None:
    page = send_page
    for name in ("first", "second"):
        made = page.request.post("/v1/bundles", data={"name": name}).json()
        items = f"/v1/bundles/{made['id']}/items"
        assert page.request.post(items, multipart={"file": payload("one.txt")}).ok
    assert page.request.put("/v1/send/alone.txt?expires_in=0", data="alone").ok
    page.reload()
    bundles = page.get_by_role("region", name="Your bundles").get_by_role("listitem")
    expect(bundles.first).to_contain_text("second")
    page.get_by_label("Sort by").select_option("By name")
    expect(bundles.first).to_contain_text("first")
    page.get_by_label("Sort by").select_option("Newest first")
    expect(bundles.first).to_contain_text("second")
    bar = page.get_by_role("form", name="Selected bundles")
    page.get_by_label("Select alone.txt").check(force=True)
    page.get_by_label("Select second").check(force=True)
    expect(page.get_by_label("Select alone.txt")).not_to_be_checked()
    expect(page.get_by_role("form", name="Selected files")).to_be_hidden()
    bar.get_by_role("button", name="Select all").click()
    expect(bar).to_contain_text("2 selected")
    expect(page.locator("#said")).to_have_text("2 selected")
    with page.expect_download() as download:
        bar.get_by_role("button", name="Download").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert archive.namelist() == ["second/one.txt", "first/one.txt"]
    page.once("dialog", lambda dialog: dialog.accept())
    bar.get_by_role("button", name="Delete").click()
    expect(page.locator("#said")).to_have_text("2 bundles deleted")
    assert page.request.get("/v1/bundles").json()["items"] == []
    expect(page.get_by_text("alone.txt")).to_be_visible()
