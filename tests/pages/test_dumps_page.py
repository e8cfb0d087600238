"""The pages of dumps in a real browser: sent, counted, searched, read, changed, deleted."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.minidump_files import APP, LIBC, Minidump, Module
from tests.pages.conftest import LAPTOP, PHONE, OpenPage, SignUp, Watch, fits, from_menu

pytestmark = pytest.mark.slow

HOSTILE = "<img src=x onerror=alert(1)>"
SIGNATURE = "SIGSEGV app+0x123"


@pytest.fixture
def person(page: Page, sign_up: SignUp) -> str:
    """Somebody who is signed in on `page`."""
    return sign_up(page)


def store(page: Page, name: str, data: bytes = b"no minidump", **fields: str) -> str:
    """Store a dump past the page; returns its id."""
    file: Any = {"name": name, "mimeType": "application/octet-stream", "buffer": data}
    answer = page.context.request.post("/v1/dumps", multipart={"file": file, **fields})
    assert answer.status == 201, answer.text()
    return str(answer.json()["id"])


def submit(page: Page, minidump: Minidump, attachments: dict[str, bytes], **fields: str) -> str:
    """Send a crash report as Crashpad does; returns the dump's id."""
    files: Any = {
        field: {"name": field, "mimeType": "text/plain", "buffer": data}
        for field, data in (attachments | {"upload_file_minidump": minidump.write()}).items()
    }
    answer = page.context.request.post("/v1/dumps/minidump", multipart=fields | files)
    assert answer.status == 200, answer.text()
    return answer.text()


def row(page: Page, name: str) -> Locator:
    return page.locator("#rows > tr").filter(has=page.get_by_role("link", name=name, exact=True))


def fact(page: Page, name: str) -> Locator:
    """Return the value beside a name in one of the lists of facts."""
    return page.locator(
        "dl > div", has=page.locator("dt", has_text=re.compile(f"^{name}$"))
    ).locator("dd")


def test_a_stranger_signs_in_first(page: Page) -> None:
    page.goto("/dumps/all?q=a+b")
    expect(page).to_have_url(re.compile(r"/account/login\?next=/dumps/all%3Fq%3Da%2Bb$"))


def test_a_minidump_is_sent_and_read(page: Page, person: str) -> None:
    page.goto("/dumps")  # which leads on, as there are no signatures
    expect(page.get_by_text("No dumps yet")).to_contain_text("/v1/dumps/minidump?key=")
    page.get_by_label("Label for them").fill("acme 1.4")
    file: Any = {"name": "crash.dmp", "mimeType": "", "buffer": Minidump().write()}
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose dumps").press("Enter")
    chooser.value.set_files([file])

    cells = row(page, "crash.dmp")
    expect(cells).to_contain_text("acme 1.4")
    expect(cells).to_contain_text(SIGNATURE)  # without being loaded again
    expect(cells).to_contain_text("linux x86_64")
    expect(page.get_by_role("link", name="Signatures")).to_be_visible()
    today = f"{datetime.now(UTC):%-d %B %Y}"
    chart = page.get_by_role("img", name=f"1 dump in 30 days, most on {today}: 1")
    expect(chart).to_be_visible()

    cells.get_by_role("link", name="crash.dmp").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("SIGSEGV in app")
    expect(fact(page, "File")).to_have_text("crash.dmp")
    expect(fact(page, "Exception")).to_have_text("SIGSEGV (11)")
    expect(fact(page, "Reason")).to_have_text("SEGV_MAPERR")
    expect(fact(page, "Crashing module")).to_have_text("app at 0x123")
    stack = page.get_by_role("region", name="The stack of thread 77")
    expect(stack.get_by_role("listitem")).to_have_text(["app + 0x123"])
    expect(page.get_by_role("heading", name="3 threads")).to_be_visible()
    page.locator("summary", has_text="2 modules").press("Enter")
    expect(page.get_by_role("region", name="Modules")).to_contain_text("libc.so.6")
    page.get_by_role("link", name=SIGNATURE).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(SIGNATURE)
    expect(row(page, "crash.dmp")).to_be_visible()


def test_a_report_shows_all_that_came_along(page: Page, person: str) -> None:
    module = Module(f"/usr/lib/{HOSTILE}.so", 0x500000, 0x1000)
    minidump = Minidump(modules=[APP, LIBC, module], pointer=0x500040)
    fields = {"product": "Acme", "version": "1.4", HOSTILE: HOSTILE}
    dump = submit(page, minidump, {"app.log": b"it was well until then"}, **fields)
    page.goto(f"/dumps/{dump}")
    expect(fact(page, "Crashing module")).to_contain_text(f"{HOSTILE}.so at 0x40")
    expect(fact(page, "Label")).to_have_text("Acme 1.4")
    expect(fact(page, re.escape(HOSTILE))).to_have_text(HOSTILE)
    with page.expect_download() as download:
        page.get_by_role("link", name="app.log").click()
    assert Path(download.value.path()).read_bytes() == b"it was well until then"
    with page.expect_download() as download:
        page.get_by_role("link", name="Download", exact=True).click()
    assert Path(download.value.path()).read_bytes() == minidump.write()
    link = page.get_by_role("link", name="Link for others")
    expect(link).to_have_attribute("href", re.compile(rf"/links\?kind=dump&id={dump}$"))
    link.click()
    dialog = page.get_by_role("dialog", name=re.compile("^A link to "))
    dialog.get_by_role("button", name="Make the link").click()
    expect(dialog.get_by_role("link")).to_have_attribute("href", re.compile("/t/"))


def test_a_damaged_minidump_says_what_is_missing(page: Page, person: str) -> None:
    called = Minidump(pointer=0, stack=(0x400250).to_bytes(8, "little")).write()
    dump = store(page, "a.dmp", called[:-100])  # within the last module
    page.goto(f"/dumps/{dump}")
    expect(page.get_by_text("modules: 1 of 2 can be read.")).to_be_visible()
    expect(fact(page, "Crashing module")).to_have_text("in no module, called from app at 0x250")
    expect(fact(page, "Signature")).to_contain_text("SIGSEGV app+0x250")


@pytest.mark.parametrize(
    ("data", "text"),
    [(b"a text", "This is no minidump"), (b"MDMP" + bytes(40), "The minidump could not be read")],
    ids=["no minidump", "broken"],
)
def test_why_there_is_no_report(page: Page, person: str, data: bytes, text: str) -> None:
    dump = store(page, "a.dmp", data)
    page.goto(f"/dumps/{dump}")
    expect(page.get_by_text(text)).to_be_visible()


def test_searching_and_filtering(page: Page, person: str) -> None:
    store(page, "one.dmp", label="acme & sons")
    store(page, "two.dmp", label="other", description="a teapot")
    page.goto("/dumps/all")
    names = page.locator("#rows .what a")
    expect(names).to_have_text(["two.dmp", "one.dmp"])
    page.get_by_label("Search").fill("TEAPOT")
    page.keyboard.press("Enter")
    expect(names).to_have_text(["two.dmp"])
    page.get_by_label("Search").fill("nowhere")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No dumps match")).to_be_visible()
    page.get_by_role("link", name="Show all that are not archived").click()
    row(page, "one.dmp").get_by_role("link", name="acme & sons").click()
    expect(names).to_have_text(["one.dmp"])
    expect(page.get_by_label("Label", exact=True)).to_have_value("acme & sons")
    suggested = page.locator("#labels option").evaluate_all("all => all.map(e => e.value)")
    assert suggested == ["acme & sons", "other"]


def test_what_is_chosen_by_links_is_let_go(page: Page, person: str) -> None:
    for name, version in (("a.dmp", "1.4"), ("b.dmp", "1.5")):
        store(page, name)
        submit(page, Minidump(), {}, product="Acme", version=version)
    page.goto("/dumps/all?version=1.4&q=mini")
    names = page.locator("#rows .what a")
    expect(names).to_have_text(["upload_file_minidump"])
    page.get_by_label("Search").fill("acme")  # which leaves the other filter as it is
    page.keyboard.press("Enter")
    expect(names).to_have_text(["upload_file_minidump"])
    expect(page.get_by_role("img", name="1 dump in 30 days")).to_be_visible()
    page.get_by_role("link", name="Any version").click()
    expect(names).to_have_text(["upload_file_minidump"] * 2)
    expect(page.get_by_role("img", name="2 dumps in 30 days")).to_be_visible()


def test_what_is_archived_is_mentioned(page: Page, person: str) -> None:
    dump = store(page, "one.dmp", description="a teapot")
    store(page, "two.dmp")
    page.context.request.patch(f"/v1/dumps/{dump}", data={"archived": True})
    page.goto("/dumps/all?q=teapot")
    expect(page.locator("#empty")).to_have_text("1 archived dump matches: show it")
    page.get_by_role("link", name="show it").click()
    expect(page.locator("#rows .what a")).to_have_text(["one.dmp"])
    page.goto("/dumps/all?q=kettle")
    expect(page.locator("#empty")).to_contain_text("No dumps match")


def test_archiving_and_deleting(page: Page, person: str) -> None:
    for name in ("one.dmp", "two.dmp"):
        store(page, name)
    page.on("dialog", lambda question: question.accept())
    page.goto("/dumps/all")
    from_menu(page, "Archive one.dmp", "one.dmp").press("Enter")
    expect(page.locator("#notice")).to_contain_text("one.dmp is archived")
    expect(row(page, "one.dmp")).to_have_count(0)
    expect(row(page, "two.dmp").get_by_role("link")).to_be_focused()
    page.get_by_label("Show").select_option("archived")
    expect(page.locator("#rows .what a")).to_have_text(["one.dmp"])
    from_menu(page, "Unarchive one.dmp", "one.dmp").click()
    expect(page.get_by_text("No dumps match")).to_be_visible()
    page.goto("/dumps/all")
    from_menu(page, "Delete two.dmp", "two.dmp").click()
    expect(page.locator("#said")).to_have_text("two.dmp is deleted")
    page.reload()
    expect(page.locator("#rows .what a")).to_have_text(["one.dmp"])


def test_several_are_selected(page: Page, person: str) -> None:
    for name in ("one.dmp", "two.dmp", "three.dmp", "four.dmp"):
        store(page, name)
    page.goto("/dumps/all")
    bar = page.get_by_role("form", name="Selected dumps")
    page.get_by_label("Select one.dmp").check(force=True)
    page.get_by_label("Select two.dmp").check(force=True)
    bar.get_by_role("button", name="Archive").click()
    expect(page.locator("#rows .what a")).to_have_text(["four.dmp", "three.dmp"])
    expect(bar).to_be_hidden()
    page.get_by_label("Select four.dmp").check(force=True)
    bar.get_by_role("button", name="Select all").click()
    page.once("dialog", lambda question: question.accept())
    bar.get_by_role("button", name="Delete").click()
    expect(page.locator("#said")).to_have_text("2 dumps deleted")
    expect(page.locator("#empty")).to_be_visible()


def test_changing_a_dump_on_its_page(page: Page, person: str) -> None:
    page.on("dialog", lambda question: question.accept())
    page.goto(f"/dumps/{store(page, HOSTILE, label='before')}")
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    page.locator("summary", has_text="Edit").press("Enter")
    page.get_by_label("Label").fill(HOSTILE)
    page.get_by_label("Description").fill(f"line\n{HOSTILE}")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved")).to_be_visible()
    expect(fact(page, "Label")).to_have_text(HOSTILE)
    page.get_by_role("button", name="Archive").click()
    expect(page.get_by_role("button", name="Unarchive")).to_be_focused()
    page.reload()
    expect(page.locator(".description")).to_have_text(f"line\n{HOSTILE}")
    expect(page.locator("h1 .badge")).to_have_text("archived")
    page.get_by_role("button", name="Delete").click()
    expect(page).to_have_url(re.compile(r"/dumps/all$"))
    expect(page.get_by_text("No dumps yet")).to_be_visible()


def test_the_days_as_a_table(page: Page, person: str) -> None:
    for number in range(3):
        store(page, f"{number}.dmp")
    page.goto("/dumps/all")
    page.locator("summary", has_text="As a table").press("Enter")
    table = page.get_by_role("region", name="Dumps per day, as a table")
    expect(table.locator("tbody tr")).to_have_text(re.compile(rf"{datetime.now(UTC):%Y-%m-%d}\s*3"))
    page.get_by_role("link", name="90 days").click()
    expect(page.get_by_role("img", name="3 dumps in 90 days")).to_be_visible()
    assert page.locator(".bars .bar").count() == 90


def test_more_dumps_by_a_button(page: Page, person: str) -> None:
    for number in range(52):
        store(page, f"{number}.dmp")
    page.goto("/dumps/all")
    names = page.locator("#rows .what a")
    expect(names).to_have_count(50)
    page.get_by_role("link", name="Show more").press("Enter")
    expect(names).to_have_text([f"{number}.dmp" for number in reversed(range(52))])
    expect(page.get_by_role("link", name="Show more")).to_have_count(0)
    expect(page.get_by_role("link", name="1.dmp", exact=True)).to_be_focused()


def test_a_dump_of_somebody_else(
    page: Page, open_page: OpenPage, person: str, sign_up: SignUp, watch: Watch
) -> None:
    dump = store(page, "mine.dmp")
    other = open_page()
    sign_up(other)
    for identifier in (dump, uuid4()):
        other.goto(f"/dumps/{identifier}")
        expect(other.locator("body")).not_to_contain_text("mine.dmp")
    watch.expect_status(404)


@pytest.mark.parametrize("viewport", [PHONE, LAPTOP], ids=["phone", "laptop"])
def test_they_fit_the_screen(
    open_page: OpenPage, sign_up: SignUp, viewport: dict[str, int]
) -> None:
    page = open_page(viewport=viewport)
    sign_up(page)
    page.goto("/dumps/all")
    assert fits(page)
    long = Minidump(modules=[Module(f"/{'m' * 300}.so", 0x400000, 0x1000)])
    dump = submit(page, long, {"a" * 200: b""}, product="p" * 200, **{"k" * 90: "v" * 900})
    page.goto(f"/dumps/{dump}")
    expect(fact(page, "Crashing module")).to_contain_text("mmm")
    page.get_by_text("1 module").click()
    assert fits(page)
    page.goto("/dumps/all")
    assert fits(page)
