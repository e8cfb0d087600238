"""The page behind a public link: what it shows and hides, its policy, its static files."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest

from app.words import moment_in_words, size_in_words, time_in_words
from tests.api.conftest import MakeSettings, Service, running
from tests.api.shared import shared_fixtures

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

PAGE = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
LARGE = 100_000  # bytes that do not fit into a row

Headers = dict[str, str]
Json = dict[str, Any]


settings, service = shared_fixtures()


@pytest.fixture
async def user(service: Service) -> Headers:
    """Headers of a new account."""
    _, headers = await service.sign_up()
    return headers


class Parsed(HTMLParser):
    """A page as its elements, each with its attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def one(self, tag: str) -> dict[str, str | None]:
        (attributes,) = self.all(tag)
        return attributes


async def make_file(
    service: Service, user: Headers, name: str, data: bytes, content_type: str = ""
) -> Json:
    file = (name, data, content_type) if content_type else (name, data)
    made = await service.client.post("/v1/files", files={"file": file}, headers=user)
    assert made.status_code == 201, made.text
    body: Json = made.json()
    return body


async def make_link(service: Service, user: Headers, file: Json, **options: Any) -> str:  # noqa: ANN401
    body = {"kind": "file", "id": file["id"], "time": 600} | options
    made = await service.client.post("/v1/timelinks", json=body, headers=user)
    assert made.status_code == 201, made.text
    return str(made.json()["url"])


async def see(service: Service, url: str, status: int = 200) -> Parsed:
    return check(await service.client.get(url, headers=PAGE), status)


def check(answer: httpx.Response, status: int) -> Parsed:
    """Check what holds for every page, and return it parsed."""
    assert answer.status_code == status, answer.text
    headers = answer.headers
    assert headers["content-type"] == "text/html; charset=utf-8"
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-robots-tag"] == "noindex"
    assert headers["x-content-type-options"] == "nosniff"
    policy = dict(
        part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy.get("script-src", "'self'") == "'self'"
    assert "unsafe" not in headers["content-security-policy"]
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    page = Parsed(answer.text)
    assert page.one("html")["lang"] == "en"
    assert page.one("main") is not None
    assert len(page.all("h1")) == 1
    assert "width=device-width" in str([m.get("content") for m in page.all("meta")])
    assert page.all("style") == []
    assert all(str(script.get("src", "")).startswith("/") for script in page.all("script"))
    assert not [a for _, a in page.elements if "style" in a or any(n.startswith("on") for n in a)]
    labelled = {label["for"] for label in page.all("label")}
    assert {field["id"] for field in page.all("input")} == labelled
    return page


async def test_the_page_shows_what_there_is_to_download(service: Service, user: Headers) -> None:
    file = await make_file(service, user, "report é.pdf", bytes(LARGE))
    page = await see(service, file["link"])
    for text in ("report é.pdf", "97.7 KiB", "2 hours"):
        assert text in page.text
    assert page.all("form") == []
    button = next(a for a in page.all("a") if a.get("class") == "button")
    got = await service.client.get(str(button["href"]), headers=PAGE)
    assert (got.content, got.headers["content-type"]) == (bytes(LARGE), "application/pdf")
    assert got.headers["content-disposition"].startswith("attachment")
    assert {"img", "pre", "audio", "video", "iframe"}.isdisjoint(n for n, _ in page.elements)


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "\" onload=x ' &amp;", "{{ 7*7 }}"])
async def test_names_are_text(service: Service, user: Headers, name: str) -> None:
    kept = name.rpartition("/")[2]
    sent = await service.client.put(
        f"/v1/send/{httpx.URL('http://x').copy_with(path='/' + name).raw_path.decode()[1:]}",
        content=b"x",
        headers=user | {"Accept": "application/json", "Content-Type": "image/png"},
    )
    assert sent.json()["name"] == kept
    page = await see(service, sent.json()["link"])
    assert kept in page.text
    assert page.all("img")[0]["alt"] == f"Preview of {kept}"


@pytest.mark.parametrize(
    ("content_type", "tag"), [("image/png", "img"), ("audio/mpeg", "audio"), ("video/mp4", "video")]
)
async def test_a_preview_is_what_a_browser_shows_safely(
    service: Service, user: Headers, content_type: str, tag: str
) -> None:
    file = await make_file(service, user, "a", bytes(LARGE), content_type)
    page = await see(service, file["link"])
    shown = await service.client.get(str(page.all(tag)[0]["src"]), headers={"Accept": "*/*"})
    assert shown.content == bytes(LARGE)
    assert shown.headers["content-disposition"].startswith("inline")
    assert shown.headers["content-type"] == content_type


@pytest.mark.parametrize(
    "content_type",
    ["text/html", "image/svg+xml", "application/pdf", "application/octet-stream", "text/xml"],
)
async def test_what_could_run_has_no_preview(
    service: Service, user: Headers, content_type: str
) -> None:
    file = await make_file(service, user, "a", b"<script>alert(1)</script>", content_type)
    page = await see(service, file["link"])
    assert "alert" not in page.text
    assert {"img", "pre", "audio", "video"}.isdisjoint(name for name, _ in page.elements)
    shown = await service.client.get(f"{file['link']}?inline=1", headers=PAGE)
    assert shown.headers["content-disposition"].startswith("attachment")


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"a <b>text</b>\n", "a <b>text</b>\n"),
        ("\ufeffé".encode(), "é"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        ("é".encode() * 20_000, "é" * 8192 + "…"),
        (b"x" + "é".encode() * 60_000, "x" + "é" * 8191 + "…"),
    ],
)
async def test_a_text_shows_its_beginning(
    service: Service, user: Headers, data: bytes, text: str
) -> None:
    file = await make_file(service, user, "a.txt", data)
    page = await see(service, file["link"])
    assert page.one("pre")["tabindex"] == "0"
    shown = await service.client.get(file["link"], headers=PAGE)
    found = re.search(r"<pre[^>]*>\n(.*)</pre>", shown.text, re.DOTALL)
    assert found is not None
    assert Parsed(found[1]).text == text


@pytest.mark.parametrize("data", [b"", b"a\0b"])
async def test_some_texts_have_no_preview(service: Service, user: Headers, data: bytes) -> None:
    file = await make_file(service, user, "a.txt", data)
    assert (await see(service, file["link"])).all("pre") == []


async def test_a_limited_link_has_a_button_that_claims(service: Service, user: Headers) -> None:
    file = await make_file(service, user, "a.png", b"x", "image/png")
    url = await make_link(service, user, file, max_downloads=2)
    for _ in range(3):
        page = await see(service, url)
        assert "Downloads left: 2" in page.text
    assert page.all("img") == page.all("input") == []
    form = page.one("form")
    assert (form["method"], form["action"]) == ("post", url.removeprefix("http://test"))
    headers = PAGE | {"Content-Type": "application/x-www-form-urlencoded"}
    for text in ("Downloads left: 1", None):
        taken = await service.client.post(str(form["action"]), headers=headers)
        assert taken.status_code == 303
        got = await service.client.get(taken.headers["location"], headers=PAGE)
        assert (got.content, got.headers["content-type"]) == (b"x", "image/png")
        if text is not None:
            assert text in (await see(service, url)).text
    refused = await service.client.post(str(form["action"]), headers=headers)
    assert "work" in check(refused, 404).text


async def test_a_password_hides_what_there_is(service: Service, user: Headers) -> None:
    file = await make_file(service, user, "hidden.png", b"x" * 999, "image/png")
    url = await make_link(service, user, file, password="secret", max_downloads=1)
    for query in ("", "?download=1", "?inline=1"):
        page = await see(service, url + query)
        assert "hidden" not in page.text
        assert "999" not in page.text
        assert page.all("img") == []
    field = page.one("input")
    assert (field["type"], field["name"]) == ("password", "password")
    assert "aria-invalid" not in field
    action = str(page.one("form")["action"])

    wrong = await service.client.post(action, data={"password": "wrong"}, headers=PAGE)
    page = check(wrong, 403)
    assert page.one("input")["aria-invalid"] == "true"
    described = page.one("input")["aria-describedby"]
    assert [a for _, a in page.elements if a.get("id") == described and a["role"] == "alert"]
    assert "www-authenticate" not in wrong.headers
    assert "hidden" not in page.text

    taken = await service.client.post(action, data={"password": "secret"}, headers=PAGE)
    assert taken.status_code == 303
    assert "secret" not in taken.headers["location"]
    got = await service.client.get(taken.headers["location"], headers=PAGE)
    assert got.content == b"x" * 999


async def test_too_many_wrong_passwords_have_a_page(make_settings: MakeSettings) -> None:
    async with running(make_settings(rate_limits="on")) as service:
        _, user = await service.sign_up()
        file = await make_file(service, user, "a", b"x")
        url = await make_link(service, user, file, password="secret")
        for _ in range(10):
            wrong = await service.client.post(url, data={"password": "x"}, headers=PAGE)
            assert wrong.status_code == 403
        refused = await service.client.post(url, data={"password": "secret"}, headers=PAGE)
        assert "Too many attempts" in check(refused, 429).text
        assert int(refused.headers["retry-after"]) > 0


async def test_a_link_that_leads_nowhere_has_a_page(service: Service, user: Headers) -> None:
    file = await make_file(service, user, "a", b"x")
    await service.client.delete(f"/v1/files/{file['id']}", headers=user)
    gone = await see(service, file["link"], 404)
    unknown = await see(service, "/t/AAAAAAAAAAAAAAAAAAAAAA", 404)
    assert gone.elements == unknown.elements
    assert gone.text == unknown.text


async def test_what_is_wrong_with_a_request_is_told_in_the_form_that_it_wants(
    service: Service, user: Headers
) -> None:
    file = await make_file(service, user, "a", b"x")
    url = await make_link(service, user, file, password="secret")
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield bytes(1000)

    for body in (bytes(100_000), endless()):
        sent = await service.client.post(url, content=body, headers=PAGE | form)
        assert "Too large" in check(sent, 413).text
    sent = await service.client.post(url, content=bytes(100_000), headers=form)
    assert sent.status_code == 413
    assert sent.headers["content-type"] == "application/problem+json"
    assert sent.headers["cache-control"] == "no-store"
    assert sent.json()["type"] == "urn:holdall:problem:content-too-large"

    wrong = await service.client.get(f"{url}?download=perhaps", headers=PAGE)
    assert "Please check" in check(wrong, 422).text
    wrong = await service.client.get(f"{url}?download=perhaps")
    assert (wrong.status_code, wrong.json()["errors"][0]["loc"]) == (422, ["query", "download"])


async def test_static_files_are_kept_for_good(service: Service, user: Headers) -> None:
    file = await make_file(service, user, "a", b"x")
    page = await see(service, file["link"])
    for link in page.all("link"):
        url = str(link["href"])
        assert re.fullmatch(r"/static/[0-9a-f]{12}/[a-z]+\.(css|svg)", url)
        got = await service.client.get(url)
        assert got.status_code == 200
        assert got.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert got.headers["x-content-type-options"] == "nosniff"
        kind = "text/css; charset=utf-8" if url.endswith("css") else "image/svg+xml"
        assert got.headers["content-type"] == kind
        assert (await service.client.head(url)).status_code == 200
        assert (got.headers["content-encoding"], got.headers["vary"]) == ("gzip", "Accept-Encoding")
        plain = await service.client.get(url, headers={"Accept-Encoding": "gzip;q=0, br"})
        assert "content-encoding" not in plain.headers
        assert plain.content == got.content
        stale = re.sub(r"[0-9a-f]{12}", "0" * 12, url)
        for missing in (stale, "/static/pages.css", "/static/..%2Ftimelink.py"):
            answer = await service.client.get(missing)
            assert answer.status_code == 404
            assert "immutable" not in answer.headers.get("cache-control", "")


async def test_pages_work_below_a_path(make_settings: MakeSettings) -> None:
    options = {"public_url": "https://example.org/holdall", "registration": "open"}
    async with running(make_settings(**options)) as service:
        _, user = await service.sign_up()
        file = await make_file(service, user, "a.png", b"x", "image/png")
        path = file["link"].removeprefix("https://example.org")
        page = await see(service, path)
        used = [page.all("img")[0]["src"], *(a["href"] for a in page.all("link") + page.all("a"))]
        for url in map(str, used):
            assert url.startswith("/holdall/")
            assert (await service.client.get(url)).status_code == 200
        limited = await make_link(service, user, file, max_downloads=1)
        path = limited.removeprefix("https://example.org")
        assert (await see(service, path)).one("form")["action"] == path


async def test_visitors_see_whom_a_link_is_from_if_its_owner_wants_that(service: Service) -> None:
    account, user = await service.sign_up()
    username = account["username"]
    client = service.client

    async def call_oneself(name: str | None) -> httpx.Response:
        return await client.patch("/v1/accounts/me", json={"display_name": name}, headers=user)

    file = await make_file(service, user, "a.txt", b"hello")
    secret = await make_link(service, user, file, password="open sesame", note="For you")
    bundle = (await client.post("/v1/bundles", json={"name": "Both"}, headers=user)).json()
    inbox = (await client.post("/v1/inboxes", json={"title": "Bring it"}, headers=user)).json()
    pages = {file["link"]: "From ", bundle["link"]: "From ", inbox["url"]: "For "}

    for url in pages:
        assert username not in (await client.get(url, headers=PAGE)).text
    assert (await call_oneself(" Ada <i> & Co ")).json()["display_name"] == "Ada <i> & Co"
    for url, before in pages.items():
        page = Parsed((await client.get(url, headers=PAGE)).text)
        assert f"{before}Ada <i> & Co" in page.text
        assert page.all("i") == []
        assert username not in page.text
    assert "Ada" not in (await see(service, secret)).text
    unlocked = await client.post(secret, data={"password": "open sesame"}, headers=PAGE)
    assert unlocked.status_code == 303
    assert "From Ada" in (await see(service, secret)).text

    for name in ("", " ", "A\nB", "a\u202eb", "x" * 81):
        refused = await call_oneself(name)
        assert refused.json()["errors"][0]["loc"] == ["body", "display_name"]
    me = await client.get("/v1/accounts/me", headers=user)
    assert me.json()["display_name"] == "Ada <i> & Co"
    await call_oneself(None)
    for url in pages:
        assert "Ada" not in (await client.get(url, headers=PAGE)).text


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 bytes"), (1, "1 byte"), (1023, "1,023 bytes"), (1024, "1.0 KiB"), (1536, "1.5 KiB"),
     (200 * 1024, "200 KiB"), (5 * 2**20, "5.0 MiB"), (2**40, "1.0 TiB"), (2**53, "8,192 TiB")],
)  # fmt: skip
def test_sizes_in_words(size: int, words: str) -> None:
    assert size_in_words(size) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "less than a minute"), (59, "less than a minute"), (60, "1 minute"), (61, "2 minutes"),
     (7199, "2 hours"), (7260, "2 hours 1 minute"), (90_000, "1 day 1 hour"),
     (86_460, "1 day 1 minute"), (10 * 86_400, "10 days")],
)  # fmt: skip
def test_times_in_words(seconds: int, words: str) -> None:
    assert time_in_words(seconds) == words


CHAT = {"Accept": "*/*", "User-Agent": "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"}


def tags_of(answer: httpx.Response) -> dict[str | None, str | None]:
    metas = Parsed(answer.text).all("meta")
    return {meta["property"]: meta["content"] for meta in metas if "property" in meta}


async def test_a_chat_is_told_what_a_link_leads_to_and_spends_nothing(
    service: Service, user: Headers
) -> None:
    file = await make_file(service, user, "report.pdf", b"x" * 2048)
    plain = await service.client.get(file["link"], headers=CHAT)
    assert tags_of(plain) | {"og:title": "report.pdf", "og:description": "2.0 KiB"} == tags_of(
        plain
    )
    body = {"kind": "file", "id": file["id"], "time": 3600, "max_downloads": 1, "password": "p"}
    made = (await service.client.post("/v1/timelinks", json=body, headers=user)).json()
    protected = await service.client.get(made["url"], headers=CHAT)
    assert tags_of(protected)["og:title"] == "Protected download"
    assert "report" not in protected.text
    assert "og:description" not in protected.text
    listed = await service.client.get("/v1/timelinks", headers=user)
    assert {link["downloads"] for link in listed.json()["items"]} == {0}
    program = await service.client.get(file["link"], headers={"User-Agent": "backup-bot/1.0"})
    assert program.content == b"x" * 2048


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        ("2026-12-02 00:00", "today 00:00"),
        ("2026-12-01 23:59", "yesterday 23:59"),
        ("2026-12-03 14:05", "tomorrow 14:05"),
        ("2026-11-26 14:05", "Thursday 14:05"),
        ("2026-12-08 09:30", "Tuesday 09:30"),
        ("2026-11-25 23:59", "25 Nov 2026"),
        ("2026-12-09 00:00", "9 Dec 2026"),
    ],
)
def test_moments_in_words(moment: str, words: str) -> None:
    now = datetime(2026, 12, 2, 12, tzinfo=UTC)
    assert moment_in_words(datetime.fromisoformat(f"{moment}+00:00"), now) == words
