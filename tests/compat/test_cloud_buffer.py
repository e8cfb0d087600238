"""Cloud Buffer, as its document has it: what a program is answered, and what a browser is."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import httpx
import pytest

from app import clock
from app.security.rate_limits import LINK_MISSES
from routers.web import known_devices
from storage.errors import StoreFull
from tests.api.conftest import PASSWORD, MakeSettings, Service, running
from tests.api.shared import store_of
from tests.compat.conftest import RunDocument

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Sec-Fetch-Site": "same-origin"}
DATA = bytes(range(256)) * 100
OK = {"code": 0, "message": "ok"}
NOWHERE = {"detail": "No such link, or it has expired"}

Form = list[tuple[str, tuple[str | None, str | bytes]]]

_names = count(1)


@asynccontextmanager
async def client_of(service: Service, **options: Any) -> AsyncIterator[httpx.AsyncClient]:  # noqa: ANN401 - a client's
    """A client with cookies of its own."""
    transport = service.client._transport
    client = httpx.AsyncClient(transport=transport, base_url="http://test", **options)
    yield client  # not closed: that would close what all clients share


async def register(client: httpx.AsyncClient) -> str:
    name = f"person{next(_names)}"
    answer = await client.post("/account/register", data={"username": name, "password": PASSWORD})
    assert_json(answer, {"username": name})
    return name


@pytest.fixture
async def program(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """A program that has signed in."""
    async with client_of(service) as client:
        await register(client)
        yield client
        store_of(service).heal()


@pytest.fixture
async def browser(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody signed in, by a browser without scripts."""
    async with client_of(service, follow_redirects=True) as client:
        await register(client)
        client.headers.update(BROWSER)
        yield client


@pytest.fixture
async def stranger(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    """A program without an account."""
    async with client_of(service) as client:
        yield client


def assert_json(answer: httpx.Response, body: object, status: int = 200) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == body


def assert_refused(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.json().keys() == {"detail"}
    assert answer.json()["detail"]


def assert_page(answer: httpx.Response, status: int = 200) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "unsafe" not in answer.headers["content-security-policy"]


def assert_content(answer: httpx.Response, data: bytes, data_type: str) -> None:
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-data-type"] == data_type
    assert answer.headers["content-length"] == str(len(data))
    assert answer.content == data


async def sent(client: httpx.AsyncClient, name: str = "photo.jpg", **fields: str) -> dict[str, Any]:
    answer = await client.post("/file/load", files={"file": (name, DATA)}, data=fields)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    assert body.keys() == {"link", "token", "expires_at"}
    return body


# Accounts


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/account/register", "form"),
        ("/account/register", "json"),
        ("/account/registet", "multipart"),
    ],
)
async def test_registering_signs_in(stranger: httpx.AsyncClient, path: str, kind: str) -> None:
    fields = {"username": f"new{next(_names)}", "email": "", "password": PASSWORD}
    bodies: dict[str, dict[str, Any]] = {
        "form": {"data": fields},
        "json": {"json": fields},
        "multipart": {"files": {name: (None, value) for name, value in fields.items()}},
    }
    assert_page(await stranger.get(path))
    assert_json(await stranger.post(path, **bodies[kind]), {"username": fields["username"]})
    assert_json(await stranger.get("/account/profile"), {"username": fields["username"]})


@pytest.mark.ordinary
async def test_a_browser_that_registers_ends_on_a_page(service: Service) -> None:
    async with client_of(service, headers=BROWSER, follow_redirects=True) as client:
        form = {"username": f"new{next(_names)}", "password": PASSWORD}
        answer = await client.post("/account/registet", data=form)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/html")
        assert_page(await client.get("/account/profile"))


async def test_wrong_credentials(stranger: httpx.AsyncClient, program: httpx.AsyncClient) -> None:
    name = (await program.get("/account/profile")).json()["username"]
    form = {"username": name, "password": "wrong password"}
    assert_refused(await stranger.post("/account/login", data=form), 401)
    assert_refused(await stranger.post("/account/login", json=form), 401)
    again = await stranger.post("/account/login", data=form, headers=BROWSER)
    assert_page(again, 401)
    assert re.search(r'<form method="post"', again.text)
    assert_refused(await stranger.get("/account/profile"), 401)


async def test_signing_in_and_out(stranger: httpx.AsyncClient, program: httpx.AsyncClient) -> None:
    name = (await program.get("/account/profile")).json()["username"]
    form = {"username": name, "password": PASSWORD}
    assert_json(await stranger.post("/account/login", data=form), {"username": name})
    before = dict(stranger.cookies)
    assert (await stranger.get("/account/logout")).status_code == 405
    assert_json(await stranger.get("/account/profile"), {"username": name})
    assert_json(await stranger.post("/account/logout"), {"username": name})
    assert set(stranger.cookies) == {known_devices.NAME}  # which opens nothing
    stranger.cookies.update(before)  # the session itself has ended
    assert_refused(await stranger.get("/file/load"), 401)


# Sending files


@pytest.mark.ordinary
async def test_a_file_is_sent_and_fetched(
    program: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    body = await sent(program)
    assert body["link"] == f"http://test/t/{body['token']}"
    left = datetime.fromisoformat(body["expires_at"]) - clock.to_datetime(clock.now())
    assert timedelta(hours=2, seconds=-30) < left <= timedelta(hours=2)
    answer = await stranger.get("/file/get", params={"token": body["token"]})
    assert answer.status_code == 200
    assert answer.content == DATA
    assert answer.headers["content-disposition"] == 'attachment; filename="photo.jpg"'
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["cache-control"] == "no-store"
    head = await stranger.head("/file/get", params={"token": body["token"]})
    assert head.status_code == 200
    assert head.headers["content-length"] == str(len(DATA))
    part = await stranger.get(
        "/file/get", params={"token": body["token"]}, headers={"Range": "bytes=1-2"}
    )
    assert (part.status_code, part.content) == (206, DATA[1:3])
    assert (await stranger.get(body["link"])).content == DATA


async def test_a_browser_downloads_by_the_same_url(
    program: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    token = (await sent(program))["token"]
    answer = await stranger.get("/file/get", params={"token": token}, headers=BROWSER)
    assert answer.content == DATA


async def test_the_page_after_an_upload(
    browser: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    assert_page(await browser.get("/file/load"))
    name = "<b>photo</b>.jpg"
    answer = await browser.post("/file/load", files={"file": (name, DATA)})
    assert_page(answer)
    assert "<b>" not in answer.text
    assert "b&gt;.jpg" in answer.text
    link = re.search(r'<a href="([^"]*/t/[^"]+)"', answer.text)
    assert link is not None
    assert re.search(r'<svg role="img" aria-label="QR code"', answer.text)
    assert (await stranger.get(link[1])).content == DATA


@pytest.mark.parametrize("option", [{"max_downloads": "2"}, {"password": "blue whale"}])
async def test_a_token_is_answered_only_where_it_is_good(
    program: httpx.AsyncClient, option: dict[str, str]
) -> None:
    body = await sent(program, **option)
    assert re.search(r"/t/[\w-]{22}$", body["link"])
    assert body["token"] is None


async def test_a_kept_file_has_no_link(
    program: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    assert await sent(program, expires_in="0") == {"link": None, "token": None, "expires_at": None}
    form = {"expires_in": "0"}
    answer = await browser.post("/file/load", files={"file": ("a", DATA)}, data=form)
    assert_page(answer)
    assert "QR code" not in answer.text
    assert_page(await browser.get("/file/load"))


async def test_files_are_listed_by_pages(browser: httpx.AsyncClient) -> None:
    names = [f"file{n}.txt" for n in range(60)]
    for name in names:
        await browser.post("/v1/files", files={"file": (name, b"x")})
    listed: list[str] = []
    url: str | None = "/file/load"
    while url is not None:
        answer = await browser.get(url)
        assert_page(answer)
        listed += re.findall(r'data-name="(.*?)"', answer.text)
        more = re.search(r'id="more"[^>]* href="(.*?)"', answer.text)
        url = None if more is None else more[1]
    assert listed == names[::-1]
    assert_page(await browser.get("/file/load?cursor=none"), 400)


NO_FILES: list[dict[str, Any]] = [
    {"files": {"other": ("photo.jpg", DATA)}},
    {"files": {"file": (None, "without a name")}},
    {"files": {"file": ("", b"")}},
    {"files": {"file": ("..", b"x")}},
    {"files": {"file": ("a", b"x")}, "data": {"expires_in": "soon"}},
    {"data": {"file": "photo.jpg"}},
    {"content": b"--x", "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
]


async def test_a_form_that_is_no_file(program: httpx.AsyncClient) -> None:
    for body in NO_FILES:
        assert_refused(await program.post("/file/load", **body), 400)
        headers = body.get("headers", {}) | BROWSER
        assert_page(await program.post("/file/load", **body | {"headers": headers}), 400)
    assert (await program.get("/v1/files")).json()["items"] == []


async def test_more_than_max_files_evict_the_oldest(make_settings: MakeSettings) -> None:
    settings = make_settings(max_files=2)
    async with running(settings) as service, client_of(service) as client:
        await register(client)
        tokens = [(await sent(client, f"{n}.txt"))["token"] for n in range(3)]
        found = [await client.get("/file/get", params={"token": token}) for token in tokens]
        assert [answer.status_code for answer in found] == [404, 200, 200]


# Links that lead nowhere


async def test_what_can_not_be_fetched_is_all_alike(
    program: httpx.AsyncClient, stranger: httpx.AsyncClient, service: Service
) -> None:
    file = (await program.post("/v1/files", files={"file": ("a.txt", DATA)})).json()
    links = []
    for also in ({"max_downloads": 3}, {"password": "secret"}, {}):
        wanted = {"kind": "file", "id": file["id"], "time": 300} | also
        links.append((await program.post("/v1/timelinks", json=wanted)).json())
    tokens = [link["url"].rpartition("/")[2] for link in links]
    assert (await stranger.get("/file/get", params={"token": tokens[2]})).content == DATA
    assert (await program.delete(f"/v1/timelinks/{links[2]['id']}")).status_code == 204
    for token in [*tokens, "unknown", "", "x" * 10_000, "\0"]:
        answer = await stranger.get("/file/get", params={"token": token})
        assert_json(answer, NOWHERE, 404)
        assert answer.headers["cache-control"] == "no-store"
    assert_json(await stranger.get("/file/get"), NOWHERE, 404)
    assert_page(await stranger.get("/file/get", headers=BROWSER), 404)


async def test_a_link_to_something_else_is_as_good(
    program: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    await program.put("/v1/blobs/a%2Fb.bin/content", content=DATA)
    wanted = {"kind": "blob", "id": "a/b.bin", "time": 300}
    url = (await program.post("/v1/timelinks", json=wanted)).json()["url"]
    answer = await stranger.get("/file/get", params={"token": url.rpartition("/")[2]})
    assert answer.content == DATA
    assert answer.headers["content-disposition"] == 'attachment; filename="b.bin"'


async def test_guesses_count_with_those_of_the_links_own_page(make_settings: MakeSettings) -> None:
    async with running(make_settings(rate_limits="on")) as service:
        client = service.client
        for _ in range(LINK_MISSES.limit - 2):
            await service.runtime.parts.rate_limits.count(LINK_MISSES, "127.0.0.1")
        for url in ("/t/1", "/file/get?token=2"):
            assert (await client.get(url)).status_code == 404
        for url in ("/t/unknown", "/file/get?token=unknown"):
            answer = await client.get(url)
            assert answer.status_code == 429
            assert int(answer.headers["retry-after"]) > 0
        assert_refused(await client.get("/file/get"), 429)


# The buffer


async def test_a_text(program: httpx.AsyncClient) -> None:
    headers = {"X-Data-Type": "text"}
    assert_refused(await program.get("/file/buffer"), 404)
    assert_json(await program.post("/file/buffer", content=b"hello", headers=headers), OK)
    answer = await program.get("/file/buffer")
    assert_content(answer, b"hello", "text")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["vary"] == "Accept, Cookie"
    head = await program.head("/file/buffer")
    assert (head.status_code, head.headers["x-data-type"]) == (200, "text")
    assert head.headers["content-length"] == "5"
    # a form does, too
    form = {"file": (None, "héllo")}
    assert_json(await program.post("/file/buffer", files=form, headers=headers), OK)
    assert_content(await program.get("/file/buffer"), "héllo".encode(), "text")


async def test_a_file(program: httpx.AsyncClient) -> None:
    form = ("a file.bin", DATA)
    typed = {"X-Data-Type": "file"}
    disposition = {"Content-Disposition": 'attachment; filename="a file.bin"'}
    bodies: list[dict[str, Any]] = [
        {"files": {"file": form}, "headers": typed},
        {"files": [("X-Data-Type", (None, "file")), ("file", form)]},
        {"content": DATA, "headers": typed | disposition},
        {"content": DATA, "headers": typed | {"X-File-Name": "a%20file.bin"}},
    ]
    for body in bodies:
        assert_json(await program.post("/file/buffer", **body), OK)
        answer = await program.get("/file/buffer")
        assert_content(answer, DATA, "file")
        assert answer.headers["content-disposition"] == disposition["Content-Disposition"]
        assert answer.headers["content-type"] == "application/octet-stream"
        assert (await program.delete("/v1/buffer")).status_code == 204


async def test_what_is_in_the_buffer_is_that_of_the_api(
    program: httpx.AsyncClient, browser: httpx.AsyncClient
) -> None:
    headers = {"X-Data-Type": "file"}
    form = {"file": ("photo.jpg", DATA, "application/octet-stream")}  # it doesn't know better
    await program.post("/file/buffer", files=form, headers=headers)
    answer = await program.get("/v1/buffer", params={"inline": "1"})
    assert_content(answer, DATA, "file")
    assert answer.headers["content-type"] == "image/jpeg"
    assert_page(await browser.get("/file/buffer"))  # somebody else's is empty
    assert (await browser.get("/v1/buffer")).status_code == 404


UNTYPED: list[dict[str, Any]] = [
    {"content": b"hello"},
    {"content": b"hello", "headers": {"X-Data-Type": "picture"}},
    {"content": b"hello", "headers": {"X-Data-Type": "file"}},
    {"files": {"file": ("a.txt", b"hello")}},
    {"files": {"other": ("a.txt", b"hello")}, "headers": {"X-Data-Type": "file"}},
    {"files": {"file": (None, "hello")}, "headers": {"X-Data-Type": "file"}},
    {"files": {"file": ("", b"")}, "headers": {"X-Data-Type": "file"}},
    {"files": {"file": ("a.txt", b"hello")}, "data": {"X-Data-Type": "picture"}},
    {
        "files": [("file", ("a", b"x")), ("file", ("b", b"x"))],
        "headers": {"X-Data-Type": "file"},
    },
]


async def test_what_does_not_say_what_it_is(program: httpx.AsyncClient) -> None:
    for body in UNTYPED:
        assert_refused(await program.post("/file/buffer", **body), 400)
    assert_refused(await program.get("/file/buffer"), 404)


async def test_the_page_without_scripts(browser: httpx.AsyncClient) -> None:
    page = await browser.get("/file/buffer")
    assert_page(page)
    assert page.headers["cache-control"] == "private, no-store"
    text: Form = [("X-Data-Type", (None, "text")), ("file", (None, "<script>hello</script>"))]
    page = await browser.post("/file/buffer", files=text)
    assert_page(page)
    assert "&lt;script&gt;hello&lt;/script&gt;" in page.text
    file: Form = [("X-Data-Type", (None, "file")), ("file", ("photo.jpg", DATA))]
    page = await browser.post("/file/buffer", files=file)
    assert_page(page)
    assert re.search(r'<img [^>]*src="/v1/buffer\?inline=1&amp;version=2"', page.text)
    empty: Form = [("X-Data-Type", (None, "file")), ("file", ("", b""))]
    assert_page(await browser.post("/file/buffer", files=empty), 400)


# Who may


async def test_nothing_without_a_login(stranger: httpx.AsyncClient) -> None:
    for path in ("/file/load", "/file/buffer"):
        assert_refused(await stranger.get(path), 401)
        answer = await stranger.post(path, files={"file": ("a", b"x")})
        assert_refused(answer, 401)
        assert answer.headers["www-authenticate"] == "Bearer"
        led = await stranger.get(path, headers=BROWSER)
        assert led.status_code == 303
        assert led.headers["location"] == f"/account/login?next={path}"
        assert_page(await stranger.post(path, files={"file": ("a", b"x")}, headers=BROWSER), 401)


async def test_a_bearer_token_does_instead_of_the_cookie(
    service: Service, program: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    name = (await program.get("/account/profile")).json()["username"]
    made = await program.post(
        "/v1/accounts/me/keys",
        json={"name": "clip", "scopes": ["files:write", "buffer:write", "buffer:read"]},
        headers=await service.log_in(name),
    )
    key = {"Authorization": f"Bearer {made.json()['key']}"}
    for headers in (key, await service.log_in(name), service.service_token):
        answer = await stranger.post("/file/load", files={"file": ("a", DATA)}, headers=headers)
        assert answer.status_code == 200
        assert answer.json()["token"]
        typed = headers | {"X-Data-Type": "text"}
        assert_json(await stranger.post("/file/buffer", content=b"by token", headers=typed), OK)
        assert_content(await stranger.get("/file/buffer", headers=headers), b"by token", "text")
    assert_refused(await stranger.get("/file/load", headers=key), 403)  # it may not read files
    sent_by_page = await stranger.post(
        "/file/load", files={"file": ("a", DATA)}, headers=key | BROWSER
    )
    assert_page(sent_by_page)
    assert_page(await stranger.get("/file/load", headers=service.service_token | BROWSER))
    bad = {"Authorization": "Bearer hk_wrong"}
    assert_refused(await program.post("/file/load", files={"file": ("a", b"x")}, headers=bad), 401)


async def test_another_sites_forms_are_refused(program: httpx.AsyncClient) -> None:
    typed = {"X-Data-Type": "text"}
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}):
        answer = await program.post("/file/load", files={"file": ("a", b"x")}, headers=headers)
        assert_refused(answer, 403)
        answer = await program.post("/file/buffer", content=b"x", headers=headers | typed)
        assert_refused(answer, 403)
        assert_refused(await program.post("/account/logout", headers=headers), 403)
    assert (await program.get("/v1/files")).json()["items"] == []
    assert_refused(await program.get("/file/buffer"), 404)


async def test_limits_have_the_contracts_form(service: Service, program: httpx.AsyncClient) -> None:
    store_of(service).fail("put", times=2, error=StoreFull("no room"))
    large = b"x" * 100_000
    assert_refused(await program.post("/file/load", files={"file": ("a", large)}), 507)
    typed = {"X-Data-Type": "text"}
    assert_refused(await program.post("/file/buffer", content=large, headers=typed), 507)


async def test_a_file_beyond_the_tier(make_settings: MakeSettings) -> None:
    async with running(make_settings()) as service, client_of(service) as client:
        await register(client)
        headers = {"Content-Length": str(11 * 2**30), "X-Data-Type": "text"}
        answer = await client.post("/file/buffer", content=b"x", headers=headers)
        assert_refused(answer, 413)


def test_the_document(run_document: RunDocument) -> None:
    printed = run_document("cloud-buffer.md", {"photo.jpg": DATA})
    assert "see you at eight" in printed
