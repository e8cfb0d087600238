"""Bytes in: streamed, checked, all or nothing, whatever the client or the store does."""

import asyncio
import base64
import hashlib
from array import array
from collections.abc import AsyncIterator

import httpx
import pytest
from sqlalchemy import Connection, select

from app import clock
from app.objects import lifecycle as object_service
from app.objects.intake.memory import LARGE as BUFFER
from app.objects.tables import object_bytes
from routers.http import bodies as incoming
from storage.errors import StoreFull
from tests.api import raw
from tests.api.books import stored_keys, used
from tests.api.conftest import Service
from tests.api.shared import audited, shared_fixtures, store_of

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

INLINE = 16 * 1024  # INLINE_MAX_BYTES by default
LARGE = 300_000
URL = "/v1/blobs/a/content"


settings, service = shared_fixtures()


@pytest.fixture(autouse=True)
async def _the_books_agree(service: Service) -> AsyncIterator[None]:
    async with audited(service):
        yield


def pattern(size: int, seed: int = 0) -> bytes:
    """Make bytes in which no two places within a buffer look the same."""
    return array("I", range(seed, seed + -(-size // 4))).tobytes()[:size]


def digest(data: bytes, algorithm: str = "sha-256") -> str:
    value = hashlib.new(algorithm.replace("-", ""), data).digest()
    return f"{algorithm}=:{base64.b64encode(value).decode()}:"


async def chunked(data: bytes, size: int = 65_536) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def put(
    service: Service, data: bytes | AsyncIterator[bytes], url: str = URL, **headers: str
) -> httpx.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await service.client.put(url, content=data, headers=service.service_token | sent)


async def read(service: Service, url: str = URL) -> bytes | None:
    answer = await service.client.get(url, headers=service.service_token)
    assert answer.status_code in {200, 404}, answer.text
    return answer.content if answer.status_code == 200 else None


async def rows_with_bytes(service: Service) -> list[bytes]:
    def find(connection: Connection) -> list[bytes]:
        return [bytes(data) for data in connection.execute(select(object_bytes.c.data)).scalars()]

    return await service.runtime.parts.database.read(find)


SIZES = [0, 1, INLINE, INLINE + 1, BUFFER, BUFFER + 1, 2 * BUFFER, 3 * BUFFER + 7]


@pytest.mark.ordinary
@pytest.mark.parametrize("way", ["announced", "chunked"])
async def test_bytes_of_any_size_come_back_as_they_went(service: Service, way: str) -> None:
    for number, size in enumerate(SIZES):
        data = pattern(size, seed=number)
        before = await stored_keys(service)
        answer = await put(service, data if way == "announced" else chunked(data, 99_991))
        assert answer.status_code == (201 if number == 0 else 200)
        sha256 = hashlib.sha256(data).hexdigest()
        assert answer.json()["size"] == size
        assert answer.json()["sha256"] == sha256
        assert answer.headers["etag"] == f'"{sha256}"'
        assert await read(service) == data
        in_row = size <= INLINE
        assert await rows_with_bytes(service) == ([data] if in_row else [])
        assert len(await stored_keys(service) - before) == (0 if in_row else 1)
        assert await used(service) == (size, 1)


async def test_small_chunks_are_put_together(service: Service) -> None:
    for data, size in ((pattern(1000), 1), (pattern(INLINE + 1), 7), (b"", 1)):
        assert (await put(service, chunked(data, size))).is_success
        assert await read(service) == data


async def test_a_replacement_keeps_what_a_blob_is_and_changes_what_it_holds(
    service: Service,
) -> None:
    first = (await put(service, b"1", content_type="text/plain; charset=latin1")).json()
    second = (await put(service, pattern(LARGE), content_type="image/png")).json()
    third = (await put(service, b"3")).json()
    assert first["created_at"] == second["created_at"] == third["created_at"]
    assert first["modified_at"] < second["modified_at"] < third["modified_at"]
    types = [blob["content_type"] for blob in (first, second, third)]
    assert types == ["text/plain; charset=latin1", "image/png", "application/octet-stream"]
    for bad in ("", "x", "text/", "/plain", "text/pl ain", "text/plain\x00", "a/" + "b" * 254):
        assert (await put(service, b"3", content_type=bad)).json()["content_type"] == types[2]


@pytest.mark.parametrize("size", [5, LARGE])
async def test_a_body_is_checked_against_its_digests(service: Service, size: int) -> None:
    before = await stored_keys(service)
    data, other = pattern(size), pattern(size, seed=1)
    good, bad = digest(data), digest(other)
    good512, bad512 = digest(data, "sha-512"), digest(other, "sha-512")
    good_md5, bad_md5 = digest(data, "md5")[5:-1], digest(other, "md5")[5:-1]
    short = "sha-256=:" + base64.b64encode(b"short").decode() + ":"
    refused: list[dict[str, str]] = [
        {"Content_Digest": bad}, {"Repr_Digest": bad}, {"Content_Digest": good, "Repr_Digest": bad},
        {"Content_Digest": f"{good512}, {bad}"}, {"Content_Digest": f"{bad},{good512}"},
        {"Content_Digest": f"{good}, {bad512}"}, {"Content_Digest": bad512},
        {"Content_Digest": good512, "Repr_Digest": bad512}, {"Repr_Digest": bad512},
        {"Content_Md5": bad_md5}, {"Content_Md5": "x"}, {"Content_Md5": ""},
        {"Content_Md5": good_md5, "Content_Digest": bad}, {"Content_Md5": good_md5[:-4]},
        {"Content_Digest": good, "Content_Md5": bad_md5}, {"Content_Digest": "sha-512=:x:"},
        {"Content_Digest": good.replace("sha-256", "sha-512")}, {"Content_Digest": "sha-256"},
        {"Content_Digest": good.replace(":", "")}, {"Content_Digest": good + "x"},
        {"Content_Digest": short}, {"Content_Digest": "sha-256=:not base64:"},
        {"Content_Digest": "sha-256=::"}, {"Repr_Digest": "sha-256="},
        {"Content_Digest": bad.replace("sha-256", "SHA-256")},
        {"Content_Digest": f"{good}, {bad}"},
    ]  # fmt: skip
    for headers in refused:
        for body in (data, chunked(data)):
            answer = await put(service, body, **headers)
            assert answer.status_code == 400, headers
            assert answer.headers["content-type"] == "application/problem+json"
            kinds = ("digest-mismatch", "bad-request")
            assert answer.json()["type"].removeprefix("urn:holdall:problem:") in kinds
    assert await used(service) == (0, 0)
    assert await read(service) is None
    await service.runtime.parts.sweep.run_once(clock.now())
    assert await stored_keys(service) == before
    for headers in [
        {"Content_Digest": good}, {"Repr_Digest": good}, {"Content_Digest": f"{good512}, {good}"},
        {"Content_Digest": good, "Repr_Digest": good}, {"Content_Digest": good512},
        {"Content_Digest": good, "Repr_Digest": good512, "Content_Md5": good_md5},
        {"Content_Md5": good_md5}, {"Content_Digest": f"{bad}, {good}"},
        {"Content_Digest": "md5=:x:, unixsum=30637"}, {"Content_Digest": ""},
        {"Content_Digest": f"{good};a=1"},
    ]:  # fmt: skip
        assert (await put(service, chunked(data), **headers)).is_success, headers


async def test_a_mismatch_leaves_what_was_there(service: Service) -> None:
    await put(service, b"old")
    for data in (b"new", pattern(LARGE)):
        assert (await put(service, data, content_digest=digest(b"old"))).status_code == 400
        assert await read(service) == b"old"
    assert await used(service) == (3, 1)


@pytest.mark.ordinary
@pytest.mark.parametrize("existing", [None, b"old"])
async def test_a_body_that_breaks_off_leaves_nothing(
    service: Service, existing: bytes | None
) -> None:
    before = await stored_keys(service)
    if existing is not None:
        await put(service, existing)
    charged = await used(service)
    for length, sent in [
        (100, [b"x" * 50]), (100, []), (LARGE, [b"x" * 65_536] * 3), (LARGE, []),
        (10 * BUFFER, [b"x" * BUFFER] * 3), (None, []), (None, [b"x" * 50]),
        (None, [b"x" * 65_536] * 3), (None, [b"x" * BUFFER] * 3),
    ]:  # fmt: skip
        headers = service.service_token
        if length is not None:
            headers = headers | {"content-length": str(length)}
        messages = [raw.part(data) for data in sent]
        answer = await raw.request(service, "PUT", URL, headers, [*messages, raw.DISCONNECT])
        assert answer.status is None
        assert await read(service) == existing
        assert await used(service) == charged
    await service.runtime.parts.sweep.run_once(clock.now())
    assert await stored_keys(service) == before


@pytest.mark.ordinary
async def test_a_request_that_is_cancelled_leaves_nothing(service: Service) -> None:
    before = await stored_keys(service)
    reached = asyncio.Event()

    async def stalling() -> AsyncIterator[raw.Message]:
        for _ in range(3):
            yield raw.part(b"x" * BUFFER)
        reached.set()
        await asyncio.Event().wait()

    length = {"content-length": str(10 * BUFFER)}
    for headers in (length, {}):
        reached.clear()
        task = asyncio.create_task(
            raw.request(service, "PUT", URL, service.service_token | headers, stalling())
        )
        await reached.wait()
        assert (await used(service))[0] > 0
        task.cancel()  # as a server does when it stops, and the grace is over
        answer = await task
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert await used(service) == (0, 0)
    await service.runtime.parts.sweep.run_once(clock.now())
    assert await stored_keys(service) == before


async def test_a_client_that_falls_silent_is_given_up(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incoming, "IDLE_TIMEOUT", 0.01)
    for length in ({"content-length": "100"}, {"content-length": str(LARGE)}, {}):
        headers = service.service_token | length
        answer = await raw.request(service, "PUT", URL, headers, [raw.part(b"x")])
        assert answer.status == 408
        assert answer.headers["content-type"] == "application/problem+json"
    assert await used(service) == (0, 0)


async def test_what_is_refused_anyway_is_refused_before_the_body_comes(service: Service) -> None:
    await put(service, b"old")
    await service.client.put("/v1/blobs/b/content", content=b"", headers=service.service_token)
    large = {"content-length": str(LARGE)}
    mine = service.service_token
    for path, headers, status in [
        (URL, large, 401),
        (URL, {"content-length": "5", "authorization": "Bearer x"}, 401),
        (URL, {"authorization": "Bearer x"}, 401),
        (URL, mine | large | {"if-none-match": "*"}, 412),
        (URL, mine | large | {"if-match": '"x"'}, 412),
        (URL, mine | large | {"if-match": "x"}, 400),
        (URL, mine | large | {"content-range": "bytes 0-1/2"}, 400),
        (URL, mine | large | {"content-digest": "sha-256=:x:"}, 400),
        ("/v1/blobs/%00/content", mine | large, 422),
        ("/v1/blobs/a/contents", mine | large, 404),
        (URL, mine | {"if-none-match": "*"}, 412),
    ]:
        answer = await raw.request(service, "PUT", path, headers, [])
        assert (answer.status, answer.receives) == (status, 0), (path, headers)
    assert await read(service) == b"old"


@pytest.mark.parametrize("size", [10, LARGE])
async def test_preconditions_guard_a_write(service: Service, size: int) -> None:
    data = pattern(size)
    for condition in ({"if_match": "*"}, {"if_match": digest(data)[9:-1]}):
        assert (await put(service, data, **condition)).status_code in {400, 412}
    first = await put(service, data, if_none_match="*")
    assert first.status_code == 201
    etag = first.headers["etag"]
    for condition in ({"if_none_match": "*"}, {"if_none_match": f"W/{etag}"}, {"if_match": '"x"'},
                      {"if_match": f"W/{etag}"}, {"if_match": etag, "if_none_match": etag},
                      {"if_unmodified_since": "Thu, 01 Jan 2015 00:00:00 GMT"}):  # fmt: skip
        refused = await put(service, b"new", **condition)
        assert refused.status_code == 412, condition
        assert refused.json()["type"] == "urn:holdall:problem:precondition-failed"
        assert (await put(service, chunked(pattern(LARGE)), **condition)).status_code == 412
    assert await read(service) == data
    assert (await put(service, b"new", if_match=f'"x", {etag}')).status_code == 200
    assert (await put(service, b"newer", if_match="*")).status_code == 200
    assert await read(service) == b"newer"


async def credentials(service: Service) -> list[dict[str, str]]:
    """Make an account and ways in: the writers of each have their own turn at the database."""
    _, session = await service.sign_up()
    ways = [session]
    for _ in range(3):
        made = await service.client.post(
            "/v1/accounts/me/keys",
            json={"name": "k", "scopes": ["blobs:read", "blobs:write"]},
            headers=session,
        )
        ways.append({"Authorization": f"Bearer {made.json()['key']}"})
    return ways


@pytest.mark.ordinary
async def test_of_many_that_create_or_replace_under_a_condition_one_wins(service: Service) -> None:
    ways = await credentials(service)
    bodies = [pattern(size, seed=size) for size in (1, 2, 3, LARGE, LARGE + 1, 4, 5, LARGE + 2)]

    async def race(condition: dict[str, str]) -> httpx.Response:
        requests = [
            service.client.put(URL, content=body, headers=ways[n % len(ways)] | condition)
            for n, body in enumerate(bodies)
        ]
        answers = await asyncio.gather(*requests)
        assert sorted(answer.status_code for answer in answers)[1:] == [412] * (len(bodies) - 1)
        ((body, winner),) = [
            (body, answer)
            for body, answer in zip(bodies, answers, strict=True)
            if answer.is_success
        ]
        assert (await service.client.get(URL, headers=ways[0])).content == body
        assert await used(service) == (len(body), 1)
        return winner

    answer = await race({"If-None-Match": "*"})
    assert answer.status_code == 201
    for _ in range(3):
        await service.client.put(URL, content=b"to be replaced", headers=ways[0])
        etag = (await service.client.head(URL, headers=ways[0])).headers["etag"]
        answer = await race({"If-Match": etag})
        assert answer.status_code == 200


@pytest.mark.ordinary
async def test_a_reader_sees_old_bytes_or_new_ones_and_never_both(service: Service) -> None:
    sizes = [10, LARGE, INLINE, LARGE + 1, INLINE + 1, BUFFER + 1]
    versions = {bytes([65 + n]) * size for n, size in enumerate(sizes)}
    await put(service, b"A" * 10)
    writing = asyncio.gather(*(put(service, data) for data in versions for _ in range(2)))

    async def look() -> int:
        seen = 0
        while not writing.done():
            answer = await service.client.get(URL, headers=service.service_token)
            assert answer.content in versions
            etag = hashlib.sha256(answer.content).hexdigest()
            assert answer.headers["etag"] == f'"{etag}"'
            seen += 1
        return seen

    seen = await asyncio.gather(*(look() for _ in range(3)))
    assert all(answer.status_code == 200 for answer in await writing)
    assert min(seen) > 0
    left = await read(service)
    assert left in versions
    assert await used(service) == (len(left or b""), 1)


@pytest.mark.ordinary
async def test_deletes_and_writes_of_one_id_do_not_disturb_the_books(service: Service) -> None:
    ways = await credentials(service)

    async def write(n: int, size: int) -> int:
        content = pattern(size)
        return (await service.client.put(URL, content=content, headers=ways[n])).status_code

    async def delete(n: int) -> int:
        return (await service.client.delete("/v1/blobs/a", headers=ways[n])).status_code

    for _ in range(4):
        done = await asyncio.gather(
            write(0, 5), write(1, LARGE), delete(2), write(3, 7), delete(0), write(2, LARGE),
            delete(1), write(0, 6), delete(3),
        )  # fmt: skip
        assert set(done) <= {200, 201, 204, 404}
    await delete(0)
    assert await used(service) == (0, 0)


@pytest.mark.ordinary
async def test_an_upload_whose_lease_has_ended_is_lost(service: Service) -> None:
    reached, go = asyncio.Event(), asyncio.Event()
    before = await stored_keys(service)

    async def body() -> AsyncIterator[bytes]:
        yield b"x" * BUFFER
        reached.set()
        await go.wait()
        yield b"x" * BUFFER

    for replaces in (False, True):
        reached.clear()
        go.clear()
        task = asyncio.create_task(put(service, body()))
        await reached.wait()
        await service.runtime.parts.sweep.run_once(clock.now() + object_service.LEASE)
        go.set()
        answer = await task
        assert answer.status_code == 409
        assert answer.json()["type"] == "urn:holdall:problem:upload-lost"
        assert await read(service) == (b"old" if replaces else None)
        await put(service, b"old")
    assert await used(service) == (3, 1)
    await service.runtime.parts.sweep.run_once(clock.now())
    assert await stored_keys(service) == before


@pytest.mark.ordinary
async def test_a_renewed_lease_lets_a_slow_upload_end(service: Service) -> None:
    reached, go = asyncio.Event(), asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield b"x" * BUFFER
        reached.set()
        await go.wait()
        yield b"y"

    task = asyncio.create_task(put(service, body()))
    await reached.wait()
    later = clock.now() + object_service.LEASE // 2
    assert await service.runtime.parts.uploads.renew_leases(later) == 1
    await service.runtime.parts.sweep.run_once(later + object_service.LEASE // 2 + clock.SECOND)
    go.set()
    assert (await task).status_code == 201
    assert await read(service) == b"x" * BUFFER + b"y"


@pytest.mark.parametrize("moment", ["before", "midway", "after"])
async def test_a_store_that_fails_leaves_nothing_behind(service: Service, moment: str) -> None:
    store = store_of(service)
    await put(service, b"old")
    before = await stored_keys(service)
    for body in (pattern(3 * BUFFER), chunked(pattern(3 * BUFFER))):
        store.fail("put", moment=moment)  # type: ignore[arg-type]
        answer = await put(service, body)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) > 0
        assert answer.json()["type"] == "urn:holdall:problem:unavailable"
    store.fail("put", moment=moment, error=StoreFull("/secret/path is full"))  # type: ignore[arg-type]
    answer = await put(service, pattern(LARGE))
    if answer.status_code != 200:  # one chunk has no midway
        assert answer.status_code == 507
        assert answer.json()["type"] == "urn:holdall:problem:insufficient-storage"
        assert "secret" not in answer.text
        assert await read(service) == b"old"
        assert await used(service) == (3, 1)
        await service.runtime.parts.sweep.run_once(clock.now())
        assert await stored_keys(service) == before
    assert (await put(service, pattern(LARGE))).status_code == 200
    assert await read(service) == pattern(LARGE)


async def test_small_bodies_need_no_store(service: Service) -> None:
    store = store_of(service)
    store.fail("put", times=10)
    store.fail("open", times=10)
    assert (await put(service, pattern(INLINE))).status_code == 201
    assert (await put(service, chunked(pattern(INLINE)))).status_code == 200
    assert await read(service) == pattern(INLINE)


async def test_a_client_that_goes_while_the_store_is_slow_leaves_nothing(
    service: Service,
) -> None:
    store = store_of(service)
    fault = store.stall("put", moment="after")
    data = pattern(LARGE)
    headers = service.service_token | {"content-length": str(len(data))}
    messages = [raw.part(data, more=False), raw.DISCONNECT]
    task = asyncio.create_task(raw.request(service, "PUT", URL, headers, messages))
    await fault.reached.wait()
    task.cancel()
    assert (await task).status == 503
    assert await read(service) is None
    assert await used(service) == (0, 0)


async def test_what_changes_while_bytes_arrive_is_seen_when_they_have(
    service: Service,
) -> None:
    store = store_of(service)
    etag = (await put(service, b"old")).headers["etag"]
    for condition, meanwhile, status, left in [
        ({"if_match": etag}, b"other", 412, b"other"),
        ({}, None, 201, pattern(LARGE)),
        ({"if_none_match": '"x"'}, b"other", 200, pattern(LARGE)),
    ]:
        fault = store.stall("put")
        task = asyncio.create_task(put(service, pattern(LARGE), **condition))
        await fault.reached.wait()
        if meanwhile is None:
            await service.client.delete("/v1/blobs/a", headers=service.service_token)
        else:
            await put(service, meanwhile)
        fault.go.set()
        assert (await task).status_code == status
        assert await read(service) == left
        assert await used(service) == (len(left), 1)
