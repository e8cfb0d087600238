"""What was in the buffer before, over HTTP: listed, brought back, deleted, until it expires."""

from collections.abc import AsyncIterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest
from sqlalchemy import Connection, select, update

from app import clock
from app.accounts.tables import accounts
from app.buffer.history import MAX_PAST
from app.buffer.tables import buffers, past_clips
from tests.api import tus_client
from tests.api.allowances import usage
from tests.api.conftest import Service
from tests.api.problems import assert_problem
from tests.api.shared import shared_fixtures
from tests.api.test_buffer import FILE, LARGE, _key, _limit, put

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

URL = "/v1/buffer"
HISTORY = f"{URL}/history"

Headers = dict[str, str]
Json = dict[str, Any]


settings, service = shared_fixtures()


@pytest.fixture
async def ada(service: Service) -> Headers:
    """Headers of a new account."""
    return (await service.sign_up())[1]


async def past(service: Service, owner: Headers) -> list[Json]:
    answer = await service.client.get(HISTORY, headers=owner)
    assert answer.status_code == 200, answer.text
    items: list[Json] = answer.json()["items"]
    return items


async def contents(service: Service, owner: Headers) -> list[bytes]:
    """Return what was in the buffer, newest first."""
    urls = [f"{HISTORY}/{item['id']}/content" for item in await past(service, owner)]
    return [(await service.client.get(url, headers=owner)).content for url in urls]


async def current(service: Service, owner: Headers) -> httpx.Response:
    return await service.client.get(URL, headers=owner)


async def shift(service: Service, account: Json, seconds: int) -> None:
    """Let all in an account's buffer, and what was there, expire so much sooner."""

    def run(connection: Connection) -> None:
        owner = select(accounts.c.id).where(accounts.c.uuid == account["id"]).scalar_subquery()
        for table in (buffers, past_clips):
            sooner = table.c.expires_at - seconds * clock.SECOND
            own = update(table).where(table.c.account_id == owner)
            connection.execute(own.values(expires_at=sooner))

    await service.runtime.parts.database.write(run)


async def test_what_was_in_it_is_kept(service: Service, ada: Headers) -> None:
    assert await past(service, ada) == []
    first = (await put(service, ada, b"a text")).json()
    await put(service, ada, bytes(LARGE), FILE)
    await put(service, ada, b"now")
    assert await contents(service, ada) == [bytes(LARGE), b"a text"]
    newest, oldest = await past(service, ada)
    assert (newest["data_type"], newest["name"], newest["size"]) == ("file", "a.txt", LARGE)
    known = ("data_type", "name", "content_type", "size", "sha256", "modified_at", "expires_at")
    assert {name: oldest[name] for name in known} == {name: first[name] for name in known}
    content = await service.client.get(f"{HISTORY}/{newest['id']}/content", headers=ada)
    assert content.headers["x-data-type"] == "file"
    assert 'filename="a.txt"' in content.headers["content-disposition"]
    part = {"Range": "bytes=0-3"}
    got = await service.client.get(f"{HISTORY}/{oldest['id']}/content", headers=ada | part)
    assert (got.status_code, got.content) == (206, b"a te")
    assert await usage(service, ada) == (LARGE + 9, 3)


async def test_one_is_brought_back(service: Service, ada: Headers) -> None:
    for text in (b"1", b"2", b"3"):
        last = (await put(service, ada, text)).json()
    (_, oldest) = await past(service, ada)
    back = await service.client.post(f"{HISTORY}/{oldest['id']}/restore", headers=ada)
    assert back.status_code == 200, back.text
    assert back.json()["version"] == last["version"] + 1
    assert back.json()["sha256"] == oldest["sha256"]
    assert back.json()["expires_at"] > oldest["expires_at"]
    got = await current(service, ada)
    assert got.content == b"1"
    moments = [parsedate_to_datetime(got.headers["last-modified"])]
    moments.append(datetime.fromisoformat(back.json()["modified_at"]).replace(microsecond=0))
    assert moments[0] == moments[1] > datetime.fromisoformat(last["modified_at"])
    assert await contents(service, ada) == [b"3", b"2"]
    assert await usage(service, ada) == (3, 3)
    again = await service.client.post(f"{HISTORY}/{oldest['id']}/restore", headers=ada)
    assert_problem(again, 404)
    assert (await put(service, ada, b"4")).status_code == 200
    assert await contents(service, ada) == [b"1", b"3", b"2"]


@pytest.mark.ordinary
async def test_one_is_brought_back_into_an_empty_buffer(service: Service, ada: Headers) -> None:
    await put(service, ada, b"1")
    await put(service, ada, b"2")
    await service.client.delete(URL, headers=ada)
    (item,) = await past(service, ada)
    assert (await current(service, ada)).status_code == 404
    await service.client.post(f"{HISTORY}/{item['id']}/restore", headers=ada)
    assert (await current(service, ada)).content == b"1"
    assert await past(service, ada) == []
    assert await usage(service, ada) == (1, 1)


async def test_each_is_deleted_alone_or_all(service: Service, ada: Headers) -> None:
    for text in (b"1", b"2", bytes(LARGE), b"4"):
        await put(service, ada, text)
    newest, *_ = await past(service, ada)
    url = f"{HISTORY}/{newest['id']}"
    assert (await service.client.delete(url, headers=ada)).status_code == 204
    for method, path in (
        ("DELETE", url), ("POST", f"{url}/restore"), ("GET", f"{url}/content"),
        ("HEAD", f"{url}/content"),
    ):  # fmt: skip
        assert (await service.client.request(method, path, headers=ada)).status_code == 404
    assert await contents(service, ada) == [b"2", b"1"]
    assert (await service.client.delete(HISTORY, headers=ada)).status_code == 204
    assert await past(service, ada) == []
    assert (await current(service, ada)).content == b"4"
    assert await usage(service, ada) == (1, 1)


async def test_the_oldest_goes(service: Service, ada: Headers) -> None:
    for number in range(MAX_PAST + 3):
        await put(service, ada, b"%d" % number)
    kept = [b"%d" % number for number in reversed(range(2, MAX_PAST + 2))]
    assert await contents(service, ada) == kept
    assert (await usage(service, ada))[1] == MAX_PAST + 1


@pytest.mark.ordinary
async def test_each_expires_by_itself(service: Service) -> None:
    account, ada = await service.sign_up()
    await put(service, ada, b"1")
    await put(service, ada, b"2")
    await shift(service, account, 3600)
    await put(service, ada, b"3")
    await put(service, ada, b"4")
    assert await contents(service, ada) == [b"3", b"2", b"1"]
    await shift(service, account, 3600)
    assert await contents(service, ada) == [b"3"]
    while await service.runtime.parts.expiry.run_once(clock.now()):
        pass
    assert await usage(service, ada) == (2, 2)
    await shift(service, account, 3600)
    assert await past(service, ada) == []
    while await service.runtime.parts.expiry.run_once(clock.now()):
        pass
    assert await usage(service, ada) == (0, 0)


@pytest.mark.ordinary
@pytest.mark.parametrize("size", [5, LARGE])
async def test_it_gives_way_to_what_needs_its_room(service: Service, size: int) -> None:
    account, ada = await service.sign_up()
    room = 3 * size
    await _limit(service, account, max_objects=3, max_object_bytes=None, max_total_bytes=room + 1)
    for number in range(6):
        stored = await put(service, ada, bytes([number]) * size)
        assert stored.is_success, stored.text
    assert await contents(service, ada) == [bytes([4]) * size, bytes([3]) * size]
    assert (await put(service, ada, bytes(2 * size))).status_code == 200
    assert await contents(service, ada) == [bytes([5]) * size]
    assert_problem(await put(service, ada, bytes(3 * size)), 413, "quota-exceeded")


async def test_it_gives_way_to_uploads_in_pieces_and_of_unknown_length(service: Service) -> None:
    account, ada = await service.sign_up()
    await _limit(service, account, max_objects=9, max_object_bytes=LARGE, max_total_bytes=3 * LARGE)
    for number in range(3):
        await put(service, ada, bytes([number]) * LARGE)

    async def chunks() -> AsyncIterator[bytes]:
        yield bytes(LARGE)

    sent = await service.client.put(URL, content=chunks(), headers=ada | {"X-Data-Type": "text"})
    assert sent.status_code == 200, sent.text
    assert await contents(service, ada) == [bytes([2]) * LARGE, bytes([1]) * LARGE]
    begun = await tus_client.create(service, ada, LARGE, kind="buffer", name="a.txt")
    done = await tus_client.append(service, ada, begun.headers["location"], 0, bytes(LARGE))
    assert done.status_code == 204, done.text
    assert await contents(service, ada) == [bytes(LARGE), bytes([2]) * LARGE]


async def test_other_contracts_see_what_is_in_it(service: Service, ada: Headers) -> None:
    await put(service, ada, b"1")
    await put(service, ada, b"2")
    assert (await service.client.get("/file/buffer", headers=ada)).content == b"2"


async def test_each_account_has_its_own(service: Service, ada: Headers) -> None:
    _, bob = await service.sign_up()
    await put(service, ada, b"1")
    await put(service, ada, b"2")
    (item,) = await past(service, ada)
    url = f"{HISTORY}/{item['id']}"
    for method, path in (
        ("DELETE", url), ("POST", f"{url}/restore"), ("GET", f"{url}/content")
    ):  # fmt: skip
        assert_problem(await service.client.request(method, path, headers=bob), 404)
    await service.client.delete(HISTORY, headers=bob)
    assert await contents(service, ada) == [b"1"]


async def test_who_may_not_is_told_so(service: Service, ada: Headers) -> None:
    await put(service, ada, b"1")
    await put(service, ada, b"2")
    (item,) = await past(service, ada)
    url = f"{HISTORY}/{item['id']}"
    keys = {scope: await _key(service, ada, scope) for scope in ("buffer:read", "buffer:write")}
    for method, path, needed in (
        ("GET", HISTORY, "buffer:read"), ("GET", f"{url}/content", "buffer:read"),
        ("POST", f"{url}/restore", "buffer:write"), ("DELETE", url, "buffer:write"),
        ("DELETE", HISTORY, "buffer:write"),
    ):  # fmt: skip
        assert (await service.client.request(method, path)).status_code == 401
        for scope, key in keys.items():
            answer = await service.client.request(method, path, headers=key)
            assert (answer.status_code == 403) == (scope != needed), (method, path, scope)
