"""axe-core finds nothing serious on any page, on a phone and a laptop, light and dark.

Nothing is cut or needs scrolling sideways, from 320 to 1920 px and with letters of twice the size.
"""

import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any, Final

import pytest
from playwright.sync_api import (
    APIRequestContext,
    Browser,
    BrowserContext,
    FilePayload,
    Page,
    expect,
)

from tests import pictures
from tests.minidump_files import Minidump
from tests.pages.conftest import ADMIN, LAPTOP, PASSWORD, PHONE, fits
from tests.system.processes import Service, wait_for

pytestmark = pytest.mark.slow

AXE: Final = files("axe_playwright_python").joinpath("axe.min.js").read_text()
FIND: Final = """rules => axe.run({resultTypes: ["violations"], ...(rules && {runOnly: rules})})
  .then(found => found.violations.filter(({impact}) => ["serious", "critical"].includes(impact))
    .map(({id, nodes}) => `${id}: ${nodes.map(node => node.target).join(", ")}`))"""

WIDE: Final = """() => [...document.querySelectorAll("body *")]
  .filter(e => e.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map(e => `${e.tagName}.${e.className} ${e.textContent.trim().slice(0, 20)}`).slice(0, 8)"""
CUT: Final = """() => [...document.querySelectorAll("body *")].filter(e => {
    const style = getComputedStyle(e);
    return e.checkVisibility() && !e.closest(".visually-hidden, .skip, svg")
      && [...e.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim())
      && ["hidden", "clip"].includes(style.overflowX) && style.textOverflow !== "ellipsis"
      && e.scrollWidth > e.clientWidth + 1;
  }).map(e => `${e.tagName} ${e.textContent.trim().slice(0, 40)}`)"""
"""Finds what has text that is cut off."""

PUBLIC: Final = {
    "home": "/",
    "login": "/account/login",
    "register": "/account/register",
    "goodbye": "/account/goodbye",
    "a link": "{link}",
    "a protected link": "{protected}",
    "a bundle": "{bundle}",
    "a file of a bundle": "{bundle}/a.txt",
    "an album": "{album}",
    "a limited bundle": "{limited}",
    "an inbox": "{given}",
    "an invitation": "{invitation}",
    "a password reset": "{reset}",
    "a link that leads nowhere": "/t/nowhere",
}
OWN: Final = {
    "own home": "/",
    "profile": "/account/profile",
    "send": "/file/load",
    "a file": "/files/{file}",
    "a bundle's details": "/bundles/{own_bundle}",
    "a link's details": "/links/{made}",
    "buffer": "/file/buffer",
    "pictures": "/pictures",
    "a picture": "/pictures/{picture}",
    "albums": "/pictures/albums",
    "an album": "/pictures/albums/{own_album}#name",
    "dumps": "/dumps/all",
    "signatures": "/dumps",
    "a signature": "/dumps/signatures?name=SIGSEGV+app%2B0x123",
    "a dump": "/dumps/{dump}",
    "rules for dumps": "/dumps/rules",
    "symbols": "/symbols",
    "links": "/links",
    "a new link": "/links?kind=file&id={file}",
    "a link just made": "/links?made={made}",
    "past links": "/links?state=expired",
    "inboxes": "/inboxes",
    "an inbox": "/inboxes/{inbox}",
    "blobs": "/blobs",
    "a blob": "/blobs/show?id=a%2Fblob",
    "activity": "/activity",
    "webhooks": "/webhooks",
    "a webhook": "/webhooks/{webhook}",
    "everybody's activity": "/admin/activity",
    "administration": "/admin",
    "accounts": "/admin/accounts",
    "tiers": "/admin/tiers",
}
DIALOGS: Final = {
    "/file/load": "#list [data-qr]",
    "/pictures": "#grid a",
    "/links": "[data-qr]",
    "/admin/accounts": "[data-change]",
    "/admin/tiers": "#new-tier",
}
"""What opens a dialog, by where it is."""


@pytest.fixture(scope="module")
def stranger(browser: Browser, live: Service) -> Iterator[BrowserContext]:
    """A browser that nobody has signed in with."""
    context = browser.new_context(base_url=live.url)
    yield context
    context.close()


@pytest.fixture(scope="module")
def owner(browser: Browser, live: Service) -> Iterator[BrowserContext]:
    """The browser of somebody who administrates, and keeps something of every kind."""
    context = browser.new_context(base_url=live.url)
    signed_in = context.request.post(
        "/account/login", form={"username": ADMIN, "password": PASSWORD}
    )
    assert signed_in.ok
    yield context
    context.close()


@pytest.fixture(scope="module")
def places(owner: BrowserContext) -> dict[str, str]:
    """What is kept, by the names that paths have for it."""
    asking = owner.request
    account = _sent(asking.get("/v1/accounts/me"))["id"]
    _sent(asking.patch(f"/v1/accounts/{account}", data={"tier": "Enterprise"}))
    _sent(asking.put("/v1/buffer", data="text", headers={"X-Data-Type": "text"}))
    _sent(asking.put("/v1/blobs/a%2Fblob/content", data="text"))
    file = _post(asking, "/v1/files", file=_payload("notes.txt", "text/plain", b"what it says"))
    picture = _post(
        asking, "/v1/pictures", name="Red", img=_payload("red.png", "image/png", pictures.plain())
    )
    dump = _post(
        asking,
        "/v1/dumps",
        label="app 1.0",
        file=_payload("crash.dmp", "application/octet-stream", Minidump().write()),
    )
    # its page tells more when the dump has been read
    wait_for(lambda: _sent(asking.get(f"/v1/dumps/{dump['id']}"))["report_state"] == "read")
    of_file = {"kind": "file", "id": file["id"], "time": 600}
    made = _sent(asking.post("/v1/timelinks", data=of_file))
    protected = _sent(
        asking.post("/v1/timelinks", data=of_file | {"password": "secret", "max_downloads": 3})
    )
    bundles: dict[str, str] = {}
    for key, options in (("bundle", {}), ("limited", {"max_downloads": 3})):
        bundle = _sent(asking.post("/v1/bundles", data={"note": "For you"} | options))
        items = f"/v1/bundles/{bundle['id']}/items"
        _post(asking, items, file=_payload("a.txt", "text/plain", b"text"))
        bundles |= {key: bundle["link"], "own_bundle": bundle["id"]}
    album = _sent(asking.post("/v1/bundles", data={"name": "Harbours"}))
    member = {"kind": "picture", "id": picture["id"]}
    _sent(asking.post(f"/v1/bundles/{album['id']}/items", data=member))
    bundles |= {"album": album["link"], "own_album": album["id"]}
    inbox = _sent(asking.post("/v1/inboxes", data={"title": "Photos", "message": "All of them"}))
    assert asking.put(f"{inbox['url']}/a.txt", data="text").ok
    ended = _sent(asking.post("/v1/timelinks", data=of_file))
    assert asking.delete(f"/v1/timelinks/{ended['id']}").ok
    _sent(asking.post("/v1/accounts/me/keys", data={"name": "laptop", "scopes": ["blobs:read"]}))
    hook = {"url": "http://127.0.0.1:9/", "events": ["file.received"], "is_active": False}
    webhook = _sent(asking.post("/v1/webhooks", data=hook))
    _sent(asking.post(f"/v1/webhooks/{webhook['id']}/test"))
    invitation = _sent(asking.post("/v1/invitations", data={"email": "someone@example.org"}))
    reset = _sent(asking.post(f"/v1/accounts/{account}/password-reset", data={}))
    return {
        "picture": picture["id"],
        "invitation": invitation["url"],
        "reset": reset["url"],
        "link": made["url"],
        "protected": protected["url"],
        "file": file["id"],
        "dump": dump["id"],
        "made": made["id"],
        "inbox": inbox["id"],
        "given": inbox["url"],
        "webhook": webhook["id"],
        **bundles,
    }


def _payload(name: str, kind: str, data: bytes) -> FilePayload:
    return FilePayload(name=name, mimeType=kind, buffer=data)


def _post(asking: APIRequestContext, path: str, **fields: Any) -> Any:  # noqa: ANN401 - JSON
    return _sent(asking.post(path, multipart=fields))


def _sent(answer: Any) -> Any:  # noqa: ANN401 - JSON
    assert answer.ok, answer.text()
    return answer.json() if answer.body() else None


@pytest.mark.parametrize("name", PUBLIC)
def test_pages_for_everybody(stranger: BrowserContext, places: dict[str, str], name: str) -> None:
    check(stranger, PUBLIC[name].format(**places))


@pytest.mark.parametrize("name", OWN)
def test_pages_of_an_account(owner: BrowserContext, places: dict[str, str], name: str) -> None:
    check(owner, OWN[name].format(**places))


@pytest.mark.parametrize("path", DIALOGS)
def test_dialogs(owner: BrowserContext, places: dict[str, str], path: str) -> None:
    check(owner, path, DIALOGS[path])


def check(context: BrowserContext, path: str, opener: str | None = None) -> None:
    """Look at a page as on a phone and on a laptop, in light and in dark."""
    page = context.new_page()
    try:
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == (404 if path == PUBLIC["a link that leads nowhere"] else 200)
        if opener is not None:
            page.locator(opener).first.click()
            expect(page.get_by_role("dialog")).to_be_visible()
        page.evaluate(AXE)
        found = []
        for size in (PHONE, LAPTOP):
            page.set_viewport_size(size)
            assert fits(page), f"it is wider than {size['width']} px"
            page.emulate_media(color_scheme="light")
            found += violations(page)
            page.emulate_media(color_scheme="dark")
            found += violations(page, "color-contrast")  # nothing else differs
        assert found == []
        for width, letters in ((320, 100), (1920, 100), (360, 200)):
            page.set_viewport_size({"width": width, "height": 740})
            page.evaluate("size => document.documentElement.style.fontSize = size", f"{letters}%")
            where = f"at {width} px with letters at {letters} %"
            assert fits(page), f"{where} these are too wide: {page.evaluate(WIDE)}"
            assert page.evaluate(CUT) == [], where
    finally:
        page.close()


def violations(page: Page, *rules: str) -> list[str]:
    """Return what is seriously wrong with a page, by all rules or these."""
    found: list[str] = page.evaluate(FIND, list(rules) or None)
    return found


CODE: Final = re.compile(r"[a-z]_[a-z]|\b(body|query|None|True|Value error|\w+ should)\b")
"""What only programmers say."""

BROWSER: Final = {"Accept": "text/html"}


FORMS: Final = """html => [...new DOMParser().parseFromString(html, "text/html").forms]
  .filter(form => form.method !== "dialog" && !form.dataset.action && !/logout$/.test(form.action))
  .map(form => ({
    action: form.getAttribute("action"),
    method: form.method,
    enctype: form.enctype,
    fields: Object.fromEntries([...new FormData(form, form.querySelector("button[name]"))]
      .filter(([, value]) => typeof value === "string")),
    numbers: [...form.querySelectorAll("[type=number]")].map(input => input.name),
  }))"""
"""Lists the forms of a page that work without scripts, with what their fields hold."""


def complaints(page: Page, path: str) -> Iterator[tuple[str, str, str]]:
    """Send each form of a page with something wrong in each field; yield what pages say of that."""
    asking = page.context.request
    html = asking.get(path, headers=BROWSER).text()
    for form in page.evaluate(FORMS, html):
        to = form["action"] or path
        for name in form["fields"]:
            for value in ("-1", "soon") if name in form["numbers"] else ("\a", "x" * 6000):
                sent: Any = form["fields"] | {name: value}
                if form["method"] == "get":
                    answer = asking.get(to, params=sent, headers=BROWSER)
                elif form["enctype"] == "multipart/form-data":
                    answer = asking.post(to, multipart=sent, headers=BROWSER)
                else:
                    answer = asking.post(to, form=sent, headers=BROWSER)
                if answer.status >= 400:
                    yield f"{to} {name}", value[:9], answer.text()


def test_forms_say_what_is_wrong_in_words_of_their_pages(
    owner: BrowserContext, stranger: BrowserContext, places: dict[str, str]
) -> None:
    said, marked = [], 0
    own, other = owner.new_page(), stranger.new_page()
    pages = [(own, path) for path in OWN.values()] + [(other, path) for path in PUBLIC.values()]
    for page, path in pages:
        for form, value, html in complaints(page, path.format(**places)):
            shown = re.search(r'id="wrong"[^>]*>(.+?)</p>', html, re.DOTALL)
            main = shown or re.search(r"<main.*?>(.+)</main>", html, re.DOTALL)
            said.append((form, value, re.sub(r"<[^>]*>", " ", main[1]) if main else "no_page"))
            marked += 'aria-invalid="true"' in html
    assert [each for each in said if CODE.search(each[2])] == []
    assert len(said) > 100
    assert marked > 20
