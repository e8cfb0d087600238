"""Receiving bodies: where their bytes go, what is charged meanwhile, and how they are given up."""

import asyncio
import hashlib
import zlib
from array import array
from collections.abc import AsyncIterable, AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, select, update

from app import clock
from app.accounts.identity import Access, Identity
from app.accounts.tables import accounts, tiers
from app.database import Database
from app.errors import ContentTooLarge, DigestMismatch, QuotaExceeded, ServiceUnavailable
from app.objects import lifecycle as objects
from app.objects.digests import SHA256, Digests
from app.objects.intake import memory
from app.objects.intake.memory import LARGE, SMALL, BodyMemoryLimit, BufferPool
from app.objects.tables import objects as rows
from app.objects.tables import tombstones
from app.objects.uploads import Body, Uploads
from app.permits import LocalPermits
from storage.base import ObjectStore
from storage.errors import StoreUnavailable
from storage.local import LocalStore
from tests.faults import FaultyStore

pytestmark = pytest.mark.anyio

INLINE = 16 * 1024
MIB = 1024 * 1024


class LateStore(FaultyStore):
    """Looks at a chunk only when it has the next one, as the contract of stores lets it."""

    async def put(
        self, key: str, body: AsyncIterable[bytes | memoryview], *, size: int | None
    ) -> None:
        async def late() -> AsyncIterator[bytes]:
            held: bytes | memoryview = b""
            async for chunk in body:
                yield bytes(held)
                held = chunk
            yield bytes(held)

        await super().put(key, late(), size=size)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[LateStore]:
    """An empty store."""
    store = LateStore(LocalStore(tmp_path / "objects"))
    yield store
    await store.aclose()


@pytest.fixture
async def uploads(database: Database, store: LateStore) -> AsyncIterator[Uploads]:
    """What is tested."""
    uploads = Uploads(database, store, inline_max=INLINE, on_give_up=lambda: None)
    yield uploads
    await uploads.aclose()


def pattern(size: int, seed: int = 0) -> bytes:
    """Make bytes in which no two places within a buffer look the same."""
    return array("I", range(seed, seed + -(-size // 4))).tobytes()[:size]


async def chunked(data: bytes, size: int = 65_521) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        await asyncio.sleep(0)
        yield data[start : start + size]


def one_slot(_connection: Connection, _identity: Identity) -> int:
    return 1


async def receive(
    uploads: Uploads, access: Access, body: Body, *, kind: str = "blobs", inline: bool = True
) -> int:
    """Receive and settle a body; returns the id of its object."""
    async with uploads.receive(access, body, kind=kind, admit=one_slot, inline=inline) as received:
        return await access.write(objects.settle, received, kind=kind, slots=1, now=clock.now())


async def used(database: Database) -> tuple[int, int]:
    sums = select(func.sum(accounts.c.used_bytes), func.sum(accounts.c.used_objects))

    def read(connection: Connection) -> tuple[int, int]:
        size, number = connection.execute(sums).one()
        return int(size), int(number)

    return await database.read(read)


async def count(database: Database) -> tuple[int, int]:
    """Return how many objects there are, and how many tombstones."""

    def read(connection: Connection) -> tuple[int, int]:
        numbers = [
            connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in (rows, tombstones)
        ]
        return numbers[0], numbers[1]

    return await database.read(read)


def announced_sha256(data: bytes) -> Digests:
    return frozenset({(SHA256, hashlib.sha256(data).digest())})


async def row_of(database: Database, object_id: int) -> Any:  # noqa: ANN401 - a row
    query = select(rows.c.key, rows.c.size, rows.c.sha256, rows.c.crc32, rows.c.charged_bytes)

    def read(connection: Connection) -> Any:  # noqa: ANN401
        return connection.execute(query.where(rows.c.id == object_id)).one()

    return await database.read(read)


async def limit(database: Database, **limits: int) -> None:
    await database.write(lambda c: c.execute(update(tiers).values(limits)).close())


async def content(store: ObjectStore, key: str) -> bytes:
    async with store.open(key) as reader:
        return b"".join([chunk async for chunk in reader])


async def test_bytes_and_their_hash_arrive(
    database: Database, access: Access, uploads: Uploads, store: LateStore
) -> None:
    sizes = [0, 1, INLINE, INLINE + 1, LARGE, LARGE + 1, 2 * LARGE, 2 * LARGE + 1, 5 * LARGE + 3]
    expected = 0
    for seed, size in enumerate(sizes):
        data = pattern(size, seed)
        for announced in (size, None):
            for inline in (True, False):
                body = Body(chunked(data), announced, announced_sha256(data))
                object_id = await receive(uploads, access, body, inline=inline)
                expected += size
                row = await row_of(database, object_id)
                assert (row.key is None) == (inline and size <= INLINE)
                assert row.size == row.charged_bytes == size
                assert bytes(row.sha256) == hashlib.sha256(data).digest()
                assert row.crc32 == zlib.crc32(data)
                if row.key is not None:
                    assert await content(store, row.key) == data
    assert await used(database) == (expected, 4 * len(sizes))


async def test_bodies_that_arrive_side_by_side_do_not_mix(
    access: Access, uploads: Uploads, store: LateStore
) -> None:
    bodies = [pattern(2 * LARGE + n, seed=n * 1000) for n in range(6)]

    async def send(n: int, data: bytes) -> None:
        size = len(data) if n % 2 else None
        digests = announced_sha256(data)
        await receive(uploads, access, Body(chunked(data, 50_000 + n), size, digests))

    for _ in range(2):  # at first in fresh buffers, then in ones that are used again
        await asyncio.gather(*(send(n, data) for n, data in enumerate(bodies)))
    stored = [await content(store, info.key) async for info in store.list()]
    assert sorted(stored) == sorted(bodies * 2)


async def test_a_body_of_unknown_length_is_charged_as_it_grows(
    database: Database, access: Access, uploads: Uploads
) -> None:
    charged = []

    async def body() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"x" * MIB
            charged.append((await used(database))[0])

    await limit(database, max_total_bytes=5 * MIB)
    await receive(uploads, access, Body(body()))
    # a MiB, then twice as much each time; at last what is left is enough
    assert charged == [MIB, 2 * MIB, 4 * MIB, 4 * MIB, 5 * MIB]
    with pytest.raises(QuotaExceeded):
        await receive(uploads, access, Body(body()))
    assert await used(database) == (5 * MIB, 1)


async def test_what_is_announced_is_charged_at_once(
    database: Database, access: Access, uploads: Uploads
) -> None:
    async def body() -> AsyncIterator[bytes]:
        assert await used(database) == (MIB, 1)
        yield b"x" * MIB

    await receive(uploads, access, Body(body(), MIB))
    await limit(database, max_total_bytes=2 * MIB - 1, max_object_bytes=3 * MIB)
    for size, error in ((MIB, QuotaExceeded), (3 * MIB + 1, ContentTooLarge)):
        with pytest.raises(error):
            await receive(uploads, access, Body(body(), size))


class Broken(Exception):
    """What only a body can raise."""


async def test_whatever_goes_wrong_nothing_is_left(
    database: Database, access: Access, uploads: Uploads, store: LateStore
) -> None:
    given_up: list[bool] = []
    uploads = Uploads(database, store, inline_max=INLINE, on_give_up=lambda: given_up.append(True))
    data = pattern(3 * LARGE)

    async def breaking(at: int) -> AsyncIterator[bytes]:
        async for chunk in chunked(data[:at]):
            yield chunk
        raise Broken

    async def commit_fails() -> None:
        async with uploads.receive(access, Body(chunked(data)), kind="blobs", admit=one_slot):
            raise Broken

    for size in (len(data), None):
        for at in (0, 100, LARGE + 1, 3 * LARGE):
            with pytest.raises(Broken):
                await receive(uploads, access, Body(breaking(at), size))
        with pytest.raises(DigestMismatch):
            await receive(uploads, access, Body(chunked(data), size, announced_sha256(b"other")))
        store.fail("put", moment="midway")
        with pytest.raises(StoreUnavailable):
            await receive(uploads, access, Body(chunked(data), size))
    with pytest.raises(Broken):
        await commit_fails()
    assert len(given_up) == 2 * 6 - 2 + 1  # two were so short that nothing was reserved for them
    assert await used(database) == (0, 0)
    # tombstones, not guesses: the store is asked to delete each, whatever the put has left
    assert await count(database) == (0, len(given_up))
    assert len([info async for info in store.list()]) == 1  # of the commit that failed
    await uploads.aclose()


async def test_closing_waits_for_uploads_to_clean_up(
    database: Database, access: Access, store: LateStore
) -> None:
    uploads = Uploads(database, store, inline_max=INLINE, on_give_up=lambda: None)
    begun = asyncio.Barrier(4)

    async def endless() -> AsyncIterator[bytes]:
        yield b"x" * LARGE
        yield b"x" * LARGE  # asked for once there is room for it
        await begun.wait()
        while True:
            yield b"x" * LARGE
            await asyncio.sleep(0)

    tasks = [asyncio.create_task(receive(uploads, access, Body(endless()))) for _ in range(3)]
    await begun.wait()
    closing = asyncio.create_task(uploads.aclose())
    await asyncio.sleep(0)
    assert not closing.done()
    for task in tasks:
        task.cancel()
    await closing
    assert await used(database) == (0, 0)
    assert await uploads.renew_leases(clock.now()) == 0
    done = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(error, asyncio.CancelledError) for error in done)


async def test_buffers_are_bounded_and_used_again() -> None:
    pool = BufferPool()
    sizes = [None, None, 10**12, 1, 5000, LARGE - 1]
    lengths = []
    for size in sizes:
        with pool.pair(size) as (one, other):
            assert len(one) == len(other)
            lengths.append(len(one))
            one[:3], other[:3] = b"one", b"two"
            assert bytes(one[:3]) == b"one"
    assert lengths == [LARGE, LARGE, LARGE, 4096, 8192, LARGE]

    held = [pool.pair(None) for _ in range(30)]
    lengths = [len(pair.__enter__()[0]) for pair in held]
    assert lengths == [LARGE] * 16 + [SMALL] * 14  # 64 MiB, then little ones
    for pair in held:
        pair.__exit__(None, None, None)
    with pool.pair(None) as (one, _):
        assert len(one) == LARGE


async def test_whole_bodies_in_memory_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    limit, inside = BodyMemoryLimit(LocalPermits()), 0
    most = 0

    async def visit() -> None:
        nonlocal inside, most
        async with limit.hold(10**6):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    await asyncio.gather(*(visit() for _ in range(50)))
    assert most == 8
    monkeypatch.setattr(memory, "_PATIENCE", 0.01)
    async with asyncio.TaskGroup() as group:
        full, leave = asyncio.Event(), asyncio.Event()

        async def stay(n: int) -> None:
            async with limit.hold(10**6):
                if n == 7:
                    full.set()
                await leave.wait()

        for n in range(8):
            group.create_task(stay(n))
        await full.wait()
        async with limit.hold(1000):  # small ones do not wait
            pass
        with pytest.raises(ServiceUnavailable):
            async with limit.hold(10**6):
                pass
        leave.set()
    await visit()
