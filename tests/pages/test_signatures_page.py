"""The pages of signatures in a real browser: found, counted, resolved, noted, with their dumps."""

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.minidump_files import Minidump, Module
from tests.pages.conftest import PHONE, OpenPage, SignUp, fits
from tests.system.processes import wait_for

pytestmark = pytest.mark.slow

F, G = "SIGSEGV app+0x123", "SIGABRT app+0x123"


def crash(page: Page, code: int = 11, module: str = "app", **fields: str) -> None:
    """Send a crash report, and wait until it has been read."""
    modules = [Module(f"/usr/bin/{module}", 0x400000, 0x1000)]
    minidump = Minidump(code=code, modules=modules).write()
    file: Any = {"name": "a.dmp", "mimeType": "application/octet-stream", "buffer": minidump}
    sent = page.context.request.post(
        "/v1/dumps/minidump", multipart=fields | {"upload_file_minidump": file}
    )
    assert sent.ok, sent.text()
    url = f"/v1/dumps/{sent.text()}"
    wait_for(lambda: page.context.request.get(url).json()["report_state"] == "read")


def row(page: Page, name: str) -> Locator:
    return page.locator("#rows > tr").filter(has=page.get_by_role("link", name=name, exact=True))


def ranked(page: Page, title: str) -> Locator:
    return page.get_by_role("region", name=f"{title}, as a table").locator("tr td")


def test_the_list_says_what_is_worst(page: Page, sign_up: SignUp) -> None:
    sign_up(page)
    for version in ("1.9", "1.10", "1.10"):
        crash(page, prod="Acme", ver=version)
    crash(page, 6)
    page.goto("/dumps")
    names = page.locator("#rows .what a")
    expect(names).to_have_text([G, F])
    expect(row(page, F).locator(".what .badge")).to_have_text("new")
    expect(row(page, F).locator(".versions .badge")).to_have_text(["1.10", "1.9"])
    expect(row(page, F).get_by_role("img", name="3 dumps in 14 days")).to_be_visible()
    expect(page.get_by_role("img", name="4 dumps in 30 days")).to_be_visible()
    page.get_by_label("Sort by").select_option("dumps")
    expect(names).to_have_text([F, G])
    page.get_by_label("Search").fill("sigABRT")
    page.keyboard.press("Enter")
    expect(names).to_have_text([G])
    page.get_by_label("Search").fill("nowhere")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No signatures match.")).to_be_visible()
    page.get_by_role("link", name="Show all").click()
    row(page, G).get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(G)


def test_its_life_works_without_scripts(open_page: OpenPage, sign_up: SignUp) -> None:
    page = open_page(java_script_enabled=False, viewport=PHONE)
    sign_up(page)
    crash(page, ver="1.9")
    page.goto("/dumps")
    assert fits(page)
    page.get_by_role("link", name=F).click()
    page.get_by_label("Fixed in version").fill("1.10")
    page.get_by_role("button", name="Resolve").click()
    marks = page.locator(".marks .badge")
    expect(marks).to_have_text("resolved in 1.10")
    page.get_by_label("Note").fill("line\n<b>&")
    page.get_by_role("button", name="Save the note").click()
    expect(page.get_by_label("Note")).to_have_value("line\n<b>&")
    expect(marks).to_have_text("resolved in 1.10")
    page.goto("/dumps")
    expect(page.get_by_text("No signature is open.")).to_be_visible()

    crash(page, ver="1.11")
    page.reload()
    expect(row(page, F).locator(".what .badge")).to_have_text("regression in 1.11")
    page.get_by_role("link", name=F).click()
    expect(page.locator("#regression")).to_contain_text(
        re.compile(r"It was resolved in 1\.10 and came back .*, in 1\.11\.")
    )
    page.get_by_role("button", name="Ignore").click()
    expect(marks).to_have_text("ignored")
    page.goto("/dumps?state=ignored")
    page.get_by_role("link", name=F).click()
    page.get_by_role("button", name="Reopen").click()
    expect(page.get_by_role("button", name="Ignore")).to_be_visible()
    assert fits(page)


def test_its_charts_obey_the_filters_of_its_dumps(page: Page, sign_up: SignUp) -> None:
    sign_up(page)
    for version in ("1.9", "1.10", "1.10"):
        crash(page, prod="Acme", ver=version)
    crash(page, 6)
    page.goto(f"/dumps/signatures?name={F.replace('+', '%2B')}")
    dumps = page.locator("#rows > tr")
    expect(dumps).to_have_count(3)
    expect(ranked(page, "By version")).to_contain_text(["1.10", "2", "1.9", "1"])
    expect(ranked(page, "By platform")).to_contain_text(["linux", "3"])
    page.get_by_role("link", name="1.10", exact=True).click()
    expect(dumps).to_have_count(2)
    expect(page.get_by_role("img", name="2 dumps in 30 days")).to_be_visible()
    expect(ranked(page, "By platform")).to_contain_text(["linux", "2"])
    page.get_by_label("Search").fill("1.9")
    page.keyboard.press("Enter")
    expect(page.get_by_role("img", name="0 dumps in 30 days")).to_be_visible()
    expect(page.get_by_text("No dumps match.")).to_be_visible()
    page.get_by_role("link", name="Any version").click()
    expect(dumps).to_have_count(1)
    page.get_by_role("button", name="More for").click()
    page.get_by_role("button", name="Archive").click()
    expect(page.locator("#notice")).to_contain_text("is archived")
    page.get_by_label("Show").select_option("not archived")
    expect(page.get_by_role("img", name="0 dumps in 30 days")).to_be_visible()
    page.get_by_role("link", name="show it").click()
    expect(dumps).to_have_count(1)


def test_a_long_name_fits_the_screen(open_page: OpenPage, sign_up: SignUp) -> None:
    page = open_page(viewport=PHONE)
    sign_up(page)
    crash(page, module="m" * 240, ver="v" * 100)
    for path in ("/dumps", "/dumps/all"):
        page.goto(path)
        assert fits(page)
    page.goto("/dumps")
    page.locator("#rows .what a").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("mmm")
    assert fits(page)


def test_links_of_before_lead_to_what_they_did(page: Page, sign_up: SignUp) -> None:
    sign_up(page)
    crash(page, prod="Acme", ver="1")
    page.goto("/dumps?label=Acme+1&show=all")
    expect(page).to_have_url(re.compile(r"/dumps/all\?label=Acme\+1&show=all$"))
    expect(page.locator("#rows > tr")).to_have_count(1)
