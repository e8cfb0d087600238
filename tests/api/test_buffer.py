"""The buffer over HTTP: what goes in comes out, once, until it expires; every change counts."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, select, update

from app import clock
from app.accounts.tables import accounts, tiers
from app.buffer.tables import buffers
from app.objects import lifecycle as object_service
from tests.api import raw
from tests.api.allowances import usage
from tests.api.conftest import Service
from tests.api.problems import assert_problem
from tests.api.shared import shared_fixtures

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

URL = "/v1/buffer"
LARGE = 100_000  # bytes that do not fit into a row
TEXT = {"X-Data-Type": "text"}
FILE = {"X-Data-Type": "file", "X-File-Name": "a.txt"}

Headers = dict[str, str]


settings, service = shared_fixtures()


@pytest.fixture
async def ada(service: Service) -> Headers:
    """Headers of a new account."""
    return (await service.sign_up())[1]


async def put(
    service: Service, owner: Headers, content: bytes = b"hello", also: Headers = TEXT
) -> httpx.Response:
    return await service.client.put(URL, content=content, headers=owner | also)


async def expire(service: Service, account: dict[str, Any]) -> None:
    """Let an account's buffer expire now."""

    def run(connection: Connection) -> None:
        owner = select(accounts.c.id).where(accounts.c.uuid == account["id"]).scalar_subquery()
        own = buffers.c.account_id == owner
        connection.execute(update(buffers).where(own).values(expires_at=clock.now()))

    await service.runtime.parts.database.write(run)


async def stored_keys(service: Service) -> set[str]:
    return {info.key async for info in service.runtime.parts.store.list("buffer/")}


@pytest.mark.parametrize("size", [0, 5, LARGE])
async def test_a_text_comes_back_as_it_went_in(service: Service, ada: Headers, size: int) -> None:
    data = bytes(i % 251 for i in range(size))
    stored = await put(service, ada, data)

    assert stored.status_code == 201, stored.text
    facts = stored.json()
    assert facts | {"version": 1, "data_type": "text", "name": None, "size": size} == facts
    lifetime = service.settings.expire_time
    assert _seconds(facts["expires_at"]) - _seconds(facts["modified_at"]) == lifetime
    for method, body in (("GET", data), ("HEAD", b"")):
        got = await service.client.request(method, URL, headers=ada)
        assert (got.status_code, got.content) == (200, body)
        assert got.headers["x-data-type"] == "text"
        assert got.headers["content-disposition"] == "attachment"
        assert got.headers["content-type"] == "text/plain; charset=utf-8"
        assert got.headers["content-length"] == str(size)
        assert got.headers["etag"] == stored.headers["etag"] == f'"{facts["sha256"]}"'
    assert await usage(service, ada) == (size, 1)


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (None, "text/plain; charset=utf-8"),
        ("application/octet-stream", "text/plain; charset=utf-8"),
        ("application/x-www-form-urlencoded", "text/plain; charset=utf-8"),
        ("no type", "text/plain; charset=utf-8"),
        ("text/plain; charset=iso-8859-1", "text/plain; charset=iso-8859-1"),
        ("text/html", "text/html"),
        ("application/json", "application/json"),
    ],
)
async def test_a_text_has_the_type_that_it_was_given(
    service: Service, ada: Headers, sent: str | None, kept: str
) -> None:
    also = TEXT if sent is None else TEXT | {"Content-Type": sent}
    assert (await put(service, ada, b"\xe9", also)).json()["content_type"] == kept
    got = await service.client.get(URL, headers=ada)
    assert (got.content, got.headers["content-type"]) == (b"\xe9", kept)
    assert got.headers["content-disposition"] == "attachment"
    shown = await service.client.get(f"{URL}?inline=1", headers=ada)
    is_text = kept.startswith("text/plain")
    assert shown.headers["content-disposition"] == ("inline" if is_text else "attachment")


NAMED = [
    ({"X-File-Name": "a.txt"}, "a.txt"),
    ({"X-File-Name": "%C3%A9%20%F0%9F%98%80.txt"}, "é 😀.txt"),
    ({"X-File-Name": "a+b%25.txt"}, "a+b%.txt"),
    ({"X-File-Name": "C%3A%5Cfakepath%5Ca.txt"}, "a.txt"),
    ({"X-File-Name": "../../etc/passwd"}, "passwd"),
    ({"X-File-Name": "x" * 255}, "x" * 255),
    ({"X-File-Name": "this", "Content-Disposition": 'attachment; filename="that"'}, "this"),
    ({"Content-Disposition": "attachment; filename=a.txt"}, "a.txt"),
    ({"Content-Disposition": 'ATTACHMENT;FileName="a b.txt"'}, "a b.txt"),
    ({"Content-Disposition": 'inline; filename="a \\"b\\"; c.txt"'}, 'a "b"; c.txt'),
    ({"Content-Disposition": "a; filename=\"e.txt\"; filename*=UTF-8''%C3%A9.txt"}, "é.txt"),
    ({"Content-Disposition": "attachment; filename*=utf-8'en'%C3%A9.txt; filename=e"}, "é.txt"),
    ({"Content-Disposition": "attachment; filename*=iso-8859-1''%E9.txt"}, "é.txt"),
    ({"Content-Disposition": "attachment; filename*=UTF-8''%FF; filename=plain"}, "plain"),
    ({"Content-Disposition": "attachment; filename*=koi8-r''%C1; filename=plain"}, "plain"),
    ({"Content-Disposition": 'attachment; filename="é.txt"'.encode().decode("latin-1")}, "é.txt"),
    ({"Content-Disposition": 'attachment; filename="%41.txt"'}, "%41.txt"),
]  # fmt: skip


async def test_a_file_has_the_name_that_it_came_with(service: Service, ada: Headers) -> None:
    for headers, name in NAMED:
        sent = [(n.lower().encode(), v.encode("latin-1")) for n, v in headers.items()]
        stored = await service.client.put(
            URL,
            content=b"x",
            headers=[*httpx.Headers(ada | {"X-Data-Type": "file"}).raw, *sent],
        )
        assert stored.status_code < 300, (headers, stored.text)
        assert stored.json()["name"] == name, headers
    got = await service.client.get(URL, headers=ada)
    assert got.headers["x-data-type"] == "file"
    disposition = got.headers["content-disposition"]
    assert disposition == "attachment; filename=\"_41.txt\"; filename*=UTF-8''%2541.txt"


REFUSED = [
    ({}, "X-Data-Type"),
    ({"X-Data-Type": "picture", "X-File-Name": "a"}, "X-Data-Type"),
    ({"X-Data-Type": "", "X-File-Name": "a"}, "X-Data-Type"),
    ({"X-Data-Type": "file"}, "Content-Disposition"),
    ({"X-Data-Type": "file", "Content-Disposition": "attachment"}, "Content-Disposition"),
    ({"X-Data-Type": "file", "Content-Disposition": 'x; filename=""'}, "Content-Disposition"),
    ({"X-Data-Type": "file", "Content-Disposition": 'x; filename="a/"'}, "Content-Disposition"),
    ({"X-Data-Type": "file", "X-File-Name": ""}, "X-File-Name"),
    ({"X-Data-Type": "file", "X-File-Name": "%FF"}, "X-File-Name"),
    ({"X-Data-Type": "file", "X-File-Name": "a%00"}, "X-File-Name"),
    ({"X-Data-Type": "file", "X-File-Name": "a%0D%0Ab: c"}, "X-File-Name"),
    ({"X-Data-Type": "file", "X-File-Name": "."}, "X-File-Name"),
    ({"X-Data-Type": "file", "X-File-Name": "x" * 256}, "X-File-Name"),
]  # fmt: skip


async def test_what_does_not_say_what_it_is_is_refused(service: Service, ada: Headers) -> None:
    for headers, where in REFUSED:
        answer = await put(service, ada, b"x", headers)
        problem = assert_problem(answer, 422, "invalid-request")
        assert [error["loc"] for error in problem["errors"]] == [["header", where]], headers
    assert await usage(service, ada) == (0, 0)
    assert_problem(await service.client.get(URL, headers=ada), 404, "not-found")


async def test_every_change_counts(service: Service, ada: Headers) -> None:
    writes = [await put(service, ada, body) for body in (b"one", b"two", bytes(LARGE), b"two")]
    versions = [write.json()["version"] for write in writes]
    assert (await service.client.delete(URL, headers=ada)).status_code == 204
    assert await usage(service, ada) == (LARGE + 6, 3)  # what was in it before
    again = await put(service, ada, b"again", FILE)
    assert again.status_code == 201
    assert [*versions, again.json()["version"]] == [1, 2, 3, 4, 6]
    assert (await put(service, ada)).status_code == 200
    assert (await service.client.get(URL, headers=ada)).content == b"hello"


@pytest.mark.ordinary
async def test_of_many_writers_each_makes_a_version(service: Service) -> None:
    account, ada = await service.sign_up()
    # writers with one credential take turns, and so would prove little
    logins = [ada, *[await service.log_in(account["username"]) for _ in range(4)]]
    logins += [await _key(service, ada) for _ in range(5)]
    bodies = [bytes([n]) * size for n, size in enumerate([10, LARGE] * 5)]
    writes = zip(logins, bodies, strict=True)
    answers = await asyncio.gather(*(put(service, login, body) for login, body in writes))
    assert sorted(answer.json()["version"] for answer in answers) == list(range(1, 11))
    assert sorted(answer.status_code for answer in answers) == [200] * 9 + [201]
    last = max(answers, key=lambda answer: int(answer.json()["version"])).json()
    got = await service.client.get(URL, headers=ada)
    assert got.headers["etag"] == f'"{last["sha256"]}"'
    assert await usage(service, ada) == (sum(map(len, bodies)), 10)  # with what was in it


async def _key(service: Service, owner: Headers, *scopes: str) -> Headers:
    """Make an API key, for reading and writing the buffer unless scopes are named."""
    new = {"name": "a key", "scopes": scopes or ("buffer:read", "buffer:write")}
    made = await service.client.post("/v1/accounts/me/keys", json=new, headers=owner)
    return {"Authorization": f"Bearer {made.json()['key']}"}


async def test_an_empty_buffer_is_not_there(service: Service, ada: Headers) -> None:
    for method in ("GET", "HEAD", "DELETE"):
        assert (await service.client.request(method, URL, headers=ada)).status_code == 404
    await put(service, ada)
    await service.client.delete(URL, headers=ada)
    for method in ("GET", "DELETE"):
        answer = await service.client.request(method, URL, headers=ada)
        assert assert_problem(answer, 404)["detail"] == "The buffer is empty"


async def test_conditions_guard_a_write(service: Service, ada: Headers) -> None:
    client = service.client
    assert_problem(await put(service, ada, b"x", TEXT | {"If-Match": "*"}), 412)
    first = await put(service, ada, b"1", TEXT | {"If-None-Match": "*"})
    assert first.status_code == 201
    for content in (b"2", bytes(LARGE)):
        kept = await put(service, ada, content, TEXT | {"If-None-Match": "*"})
        assert_problem(kept, 412, "precondition-failed")
        assert_problem(await put(service, ada, content, TEXT | {"If-Match": '"x"'}), 412)
    known = {"If-None-Match": first.headers["etag"]}
    assert (await client.get(URL, headers=ada | known)).status_code == 304
    assert_problem(await client.delete(URL, headers=ada | {"If-Match": '"x"'}), 412)
    guarded = {"If-Match": first.headers["etag"]}
    second = await put(service, ada, b"2", TEXT | guarded)
    assert (second.status_code, second.json()["version"]) == (200, 2)
    assert_problem(await client.delete(URL, headers=ada | guarded), 412)
    part = await client.get(URL, headers=ada | {"Range": "bytes=0-0"})
    assert (part.status_code, part.content) == (206, b"2")


async def test_what_fails_leaves_what_was_there(service: Service, ada: Headers) -> None:
    await put(service, ada, b"stays")
    digest = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"
    for also in ({"Content-Digest": digest}, {"Content-Range": "bytes 0-0/2"}):
        for size in (5, LARGE):
            assert_problem(await put(service, ada, bytes(size), TEXT | also), 400)
    cut = [raw.part(bytes(LARGE)), raw.DISCONNECT]
    await raw.request(service, "PUT", URL, ada | TEXT | {"content-length": "200000"}, cut)
    got = await service.client.get(URL, headers=ada)
    assert got.content == b"stays"
    assert await usage(service, ada) == (5, 1)


async def test_a_download_under_way_ends_whole(service: Service) -> None:
    account, ada = await service.sign_up()
    # without a slot for it, what is replaced doesn't stay in the history
    await _limit(service, account, max_objects=1, max_object_bytes=None, max_total_bytes=None)
    before = await stored_keys(service)
    old = bytes(range(256)) * 16 * 1024  # 4 MiB
    await put(service, ada, old)
    (key,) = await stored_keys(service) - before
    replaced = False

    async def on_send(answer: raw.Answer) -> None:
        nonlocal replaced
        if answer.body and not replaced:
            replaced = True
            assert not answer.ended
            assert (await put(service, ada, b"new")).status_code == 200
            await service.runtime.parts.sweep.run_once(clock.now())

    got = await raw.request(service, "GET", URL, ada, _silent(), on_send=on_send)
    assert replaced
    assert got.ended
    assert got.body == old
    assert await usage(service, ada) == (3, 1)
    await service.runtime.parts.sweep.run_once(clock.now() + object_service.GRACE)
    assert key not in await stored_keys(service)


async def _silent() -> AsyncIterator[raw.Message]:
    yield raw.part(b"", more=False)


async def test_it_expires(service: Service) -> None:
    account, ada = await service.sign_up()
    await put(service, ada, bytes(LARGE), FILE)
    keys = await stored_keys(service)
    await expire(service, account)

    for method in ("GET", "HEAD", "DELETE"):
        assert (await service.client.request(method, URL, headers=ada)).status_code == 404
    assert_problem(await put(service, ada, b"x", TEXT | {"If-Match": "*"}), 412)
    assert await usage(service, ada) == (LARGE, 1)

    while await service.runtime.parts.expiry.run_once(clock.now()):
        pass
    assert await usage(service, ada) == (0, 0)
    await service.runtime.parts.sweep.run_once(clock.now())
    assert len(keys - await stored_keys(service)) == 1
    # 1 was the file, 2 that it expired
    assert (await put(service, ada)).json()["version"] == 3


async def test_what_has_expired_gives_way_to_what_comes(service: Service) -> None:
    account, ada = await service.sign_up()
    for version, also in ((1, TEXT), (3, FILE), (5, TEXT)):
        stored = await put(service, ada, b"x" * version, also | {"If-None-Match": "*"})
        assert (stored.status_code, stored.json()["version"]) == (201, version)
        assert await usage(service, ada) == (version, 1)
        await expire(service, account)
    await service.runtime.parts.expiry.run_once(clock.now())
    assert await usage(service, ada) == (0, 0)


@pytest.mark.ordinary
async def test_a_write_prolongs_its_life(service: Service) -> None:
    account, ada = await service.sign_up()
    first = (await put(service, ada)).json()["expires_at"]
    assert first < (await put(service, ada)).json()["expires_at"]
    await expire(service, account)
    await put(service, ada, b"new")
    await service.runtime.parts.expiry.run_once(clock.now())
    assert (await service.client.get(URL, headers=ada)).content == b"new"


async def test_it_takes_one_slot_of_the_quota(service: Service) -> None:
    account, ada = await service.sign_up()
    await _limit(service, account, max_objects=1, max_object_bytes=2 * LARGE, max_total_bytes=None)
    assert (await put(service, ada)).status_code == 201
    assert_problem(await service.client.put("/v1/blobs/a/content", content=b"", headers=ada), 413)
    assert (await put(service, ada, bytes(2 * LARGE))).status_code == 200
    over = await put(service, ada, bytes(2 * LARGE + 1))
    assert_problem(over, 413, "content-too-large")
    assert (await service.client.delete(URL, headers=ada)).status_code == 204
    await service.client.put("/v1/blobs/a/content", content=b"", headers=ada)
    for size in (1, LARGE):
        assert_problem(await put(service, ada, bytes(size)), 413, "quota-exceeded")


async def _limit(service: Service, account: dict[str, Any], **limits: int | None) -> None:
    """Give an account a tier of its own."""

    def run(connection: Connection) -> None:
        made = connection.execute(
            tiers.insert().values(
                uuid=f"tier-of-{account['username']}",
                name=f"tier-of-{account['username']}",
                name_key=f"tier-of-{account['username']}",
                heights="",
                allow_original=False,
                allow_links=False,
                created_at=0,
                **limits,
            )
        )
        own = accounts.c.uuid == account["id"]
        key = made.inserted_primary_key
        assert key is not None
        connection.execute(update(accounts).where(own).values(tier_id=key[0]))

    await service.runtime.parts.database.write(run)


async def test_each_account_has_its_own(service: Service, ada: Headers) -> None:
    _, bob = await service.sign_up()
    await put(service, ada, b"ada's")
    assert_problem(await service.client.get(URL, headers=bob), 404)
    assert_problem(await service.client.delete(URL, headers=bob), 404)
    assert (await put(service, bob, b"bob's")).json()["version"] == 1
    assert (await service.client.get(URL, headers=ada)).content == b"ada's"


async def test_who_may_not_is_told_so(service: Service, ada: Headers) -> None:
    scopes = ("buffer:read", "buffer:write", "files:write")
    keys = {scope: await _key(service, ada, scope) for scope in scopes}
    routes = {"GET": "buffer:read", "HEAD": "buffer:read", "PUT": "buffer:write",
              "DELETE": "buffer:write"}  # fmt: skip
    await put(service, ada)
    for method, needed in routes.items():
        for scope, key in keys.items():
            answer = await service.client.request(method, URL, content=b"x", headers=key | TEXT)
            assert (answer.status_code != 403) == (scope == needed), (method, scope)
        assert (await service.client.request(method, URL, headers=TEXT)).status_code == 401
    events = f"{URL}/events"
    assert_problem(await service.client.get(events), 401)
    assert_problem(await service.client.get(events, headers=keys["files:write"]), 403)
    assert_problem(await service.client.post(events, headers=ada), 405)
