"""Appending to unfinished objects: what is kept of each body, and what is left of the rest."""

import asyncio
import hashlib
import itertools
import random
import zlib
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, func, select, update

from app import clock
from app.accounts.identity import Access, identify
from app.accounts.tables import accounts, tiers
from app.database import Database
from app.errors import DigestMismatch, LeaseLost, NotFound, ObjectDamaged, QuotaExceeded
from app.objects import lifecycle as objects
from app.objects import removal, segments
from app.objects.digests import SHA256
from app.objects.entities import Content, Received, Segment, Tail
from app.objects.intake import merging
from app.objects.intake.append import Append
from app.objects.intake.appends import Appends
from app.objects.reading import contents
from app.objects.reading.downloads import Downloads
from app.objects.scratch import Scratch
from app.objects.segments import Unfinished
from app.objects.tables import object_segments, tombstones
from app.objects.tables import objects as rows
from app.objects.uploads import Body, Uploads
from app.security.credentials import ServiceToken
from app.tasks.reconcile import Comparison
from storage.base import ByteRange, new_key
from storage.errors import StoreUnavailable
from storage.local import LocalStore
from tests.deadline import DEADLINE
from tests.faults import FaultyStore

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("access")]

KIND = "blobs"
SEGMENT = 64 * 1024


@pytest.fixture(autouse=True)
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bodies of a few hundred KiB are enough for several."""
    monkeypatch.setattr("app.objects.intake.append.SEGMENT", SEGMENT)
    monkeypatch.setattr(merging, "TINY", SEGMENT // 64)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[FaultyStore]:
    """An empty store."""
    store = FaultyStore(LocalStore(tmp_path / "objects"))
    yield store
    await store.aclose()


@pytest.fixture
async def uploads(database: Database, store: FaultyStore) -> AsyncIterator[Uploads]:
    """What has the appends that are tested."""
    uploads = Uploads(database, store, inline_max=0, on_give_up=lambda: None)
    yield uploads
    await uploads.aclose()


async def begin(database: Database) -> int:
    owner = await database.read(identify, ServiceToken(), 0)
    return await database.write(objects.begin, owner, kind=KIND, slots=1, now=clock.now())


async def take_over(database: Database, object_id: int) -> Unfinished:
    owner = await database.read(identify, ServiceToken(), 0)
    return await database.write(segments.take_over, owner, object_id, new_key(KIND), clock.now())


async def commit(database: Database, held: Unfinished, tail: Tail, key: str | None) -> Unfinished:
    return await database.write(segments.add, held, tail, key, clock.now())


async def broken_off(data: bytes, error: Exception | None) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 10_007):
        await asyncio.sleep(0)
        yield data[start : start + 10_007]
    if error is not None:
        raise error


async def append(
    appends: Appends, object_id: int, data: bytes, error: Exception | None = None
) -> int:
    """Append to an object, from a body that breaks off with an error; returns its size."""
    database = appends.resources.database
    held = await take_over(database, object_id)
    async with appends.append(held, KIND, partial(commit, database)) as appending:
        await appending.end(await appending.receive(broken_off(data, error), None))
        assert appending.broken is error
        return appending.size


async def finish(uploads: Uploads, access: Access, object_id: int, data: bytes = b"") -> Content:
    """Append the last bytes, and make the object ready."""
    appends, database = uploads.appends, uploads.appends.resources.database
    held = await take_over(database, object_id)
    async with appends.append(held, KIND, partial(commit, database)) as appending:
        tail = await appending.receive(broken_off(data, None), len(data))
        arrived = partial(arrive, appending, tail)
        body = Body(appending.content(tail), appending.size + tail.size, arrived=arrived)
        async with uploads.receive(access, body, kind=KIND, admit=lambda *_: 1) as received:
            before = received.content(clock.now())
            await access.write(objects.settle, received, kind=KIND, slots=1, now=clock.now())
        appending.settled()
    return before


async def arrive(appending: Append, tail: Tail, chunks: AsyncIterator[bytes]) -> Received:
    return await appending.finish(tail, chunks)


def content(connection: Connection, object_id: int) -> Content:
    columns = contents.content_columns(with_data=False)
    row = connection.execute(select(*columns).where(rows.c.id == object_id)).one()
    return contents.content_of(tuple(row))


async def read(database: Database, store: FaultyStore, found: Content, part: ByteRange) -> bytes:
    async with Downloads(database, store, None).open(found, part) as chunks:  # type: ignore[arg-type]
        return b"".join([chunk async for chunk in chunks])


async def used(database: Database) -> tuple[int, int]:
    query = select(func.sum(accounts.c.used_bytes), func.sum(accounts.c.used_objects))
    size, number = await database.read(lambda c: tuple(c.execute(query).one()))
    return int(size), int(number)


async def stored(database: Database, store: FaultyStore) -> set[str]:
    """Return what is in the store and isn't to be swept."""
    buried = await database.read(lambda c: set(c.execute(select(tombstones.c.key)).scalars()))
    return {info.key async for info in store.list()} - buried


@pytest.mark.parametrize("cuts", [[], [1], [SEGMENT], [100_000, 250_000], [3, 7, 250_000, 250_001]])
async def test_what_came_in_pieces_is_the_whole(
    database: Database, store: FaultyStore, uploads: Uploads, access: Access, cuts: Sequence[int]
) -> None:
    data = random.Random(1).randbytes(300_000)
    object_id = await begin(database)
    for start, stop in itertools.pairwise([0, *cuts]):
        error = ConnectionError("gone")
        assert await append(uploads.appends, object_id, data[start:stop], error) == stop
        assert await used(database) == (stop, 1)
    before = await finish(uploads, access, object_id, data[[0, *cuts][-1] :])
    found = await database.read(content, object_id)
    assert found.sha256 == hashlib.sha256(data).digest()
    assert found.crc32 == zlib.crc32(data)
    assert found.stored == before.stored
    assert {segment.key for segment in found.stored} == await stored(database, store)
    for part in [(0, 300_000), (0, 1), (65_535, 65_537), (1, 299_999), (131_072, 131_072)]:
        assert await read(database, store, found, ByteRange(*part)) == data[slice(*part)]
    assert await used(database) == (len(data), 1)
    assert [f async for f in Comparison(database, store, clock.now(), checksums=True).run()] == []
    await database.write(removal.remove, object_id, due_at=clock.now())
    assert await used(database) == (0, 0)
    assert await stored(database, store) == set()
    assert await database.read(segments.find, object_id) == ()


@pytest.mark.parametrize("size", [0, 1, 1000, SEGMENT, SEGMENT + 1])
async def test_only_what_has_several_segments_has_rows_for_them(
    database: Database, uploads: Uploads, access: Access, size: int
) -> None:
    data = bytes(size)
    object_id = await begin(database)
    await append(uploads.appends, object_id, data)
    await finish(uploads, access, object_id)
    found = await database.read(content, object_id)
    assert (found.size, found.sha256) == (size, hashlib.sha256(data).digest())
    assert len(found.segments) == (2 if size > SEGMENT else 0)
    assert (found.key is None) == (size > SEGMENT or size == 0)


async def test_another_process_reads_what_it_has_not_hashed(
    database: Database, store: FaultyStore, uploads: Uploads, access: Access
) -> None:
    data = random.Random(2).randbytes(200_000)
    object_id = await begin(database)
    await append(uploads.appends, object_id, data[:150_000])
    other = Uploads(database, store, inline_max=0, on_give_up=lambda: None)
    opened = store.calls["open"]
    found = await finish(other, access, object_id, data[150_000:])
    assert found.sha256 == hashlib.sha256(data).digest()
    assert found.crc32 == zlib.crc32(data)
    assert store.calls["open"] > opened
    await other.aclose()


async def test_what_one_process_received_is_not_read_again(
    database: Database, store: FaultyStore, uploads: Uploads, access: Access
) -> None:
    data = random.Random(3).randbytes(200_000)
    object_id = await begin(database)
    await append(uploads.appends, object_id, data[:150_000])
    found = await finish(uploads, access, object_id, data[150_000:])
    assert found.sha256 == hashlib.sha256(data).digest()
    assert found.crc32 == zlib.crc32(data)
    assert store.calls["open"] == 1, "for its start alone"


async def test_the_newest_goes_on_and_keeps_the_bytes_of_the_one_before(
    database: Database, uploads: Uploads, access: Access
) -> None:
    data = random.Random(4).randbytes(200_000)
    object_id, appends = await begin(database), uploads.appends
    arrived = asyncio.Event()

    async def stalled() -> AsyncIterator[bytes]:
        yield data[:100_000]
        arrived.set()
        await asyncio.Event().wait()

    async def first() -> int:
        held = await take_over(database, object_id)
        async with appends.append(held, KIND, partial(commit, database)) as appending:
            await appending.end(await appending.receive(stalled(), None))
            assert isinstance(appending.broken, LeaseLost)
            return appending.size

    running = asyncio.create_task(first())
    async with asyncio.timeout(DEADLINE):
        await arrived.wait()
        await appends.stop(object_id)
    assert await running == 100_000
    found = await finish(uploads, access, object_id, data[100_000:])
    assert found.sha256 == hashlib.sha256(data).digest()
    assert found.crc32 == zlib.crc32(data)


async def test_whoever_was_taken_over_elsewhere_can_not_commit(
    database: Database, store: FaultyStore, uploads: Uploads, access: Access
) -> None:
    data = random.Random(5).randbytes(SEGMENT - 1)
    object_id, appends = await begin(database), uploads.appends
    held = await take_over(database, object_id)
    async with appends.append(held, KIND, partial(commit, database)) as appending:
        tail = await appending.receive(broken_off(data, None), None)
        await take_over(database, object_id)  # by another process
        with pytest.raises(LeaseLost):
            await appending.end(tail)
    assert await stored(database, store) == set()
    assert await used(database) == (0, 1)
    assert await append(appends, object_id, data[:5]) == 5
    found = await finish(uploads, access, object_id, data[5:])
    assert found.sha256 == hashlib.sha256(data).digest()
    assert found.crc32 == zlib.crc32(data)
    assert {segment.key for segment in found.stored} == await stored(database, store)


async def test_what_the_store_did_not_take_is_given_up(
    database: Database, store: FaultyStore, uploads: Uploads
) -> None:
    object_id, appends = await begin(database), uploads.appends
    await append(appends, object_id, b"kept")
    store.fail("put", moment="midway")
    with pytest.raises(StoreUnavailable):
        await append(appends, object_id, b"lost")
    assert await database.read(segments.find, object_id) == await _segments(database, object_id)
    assert await used(database) == (4, 1)
    assert len(await stored(database, store)) == 1


async def _segments(database: Database, object_id: int) -> tuple[Segment, ...]:
    query = select(object_segments.c.key, object_segments.c.size).where(
        object_segments.c.object_id == object_id
    )
    found = await database.read(lambda c: c.execute(query).all())
    return tuple(Segment(*row) for row in found)


async def test_a_quota_that_is_full_ends_a_body_and_keeps_what_fits(
    database: Database, uploads: Uploads
) -> None:
    limit = update(tiers).values(max_total_bytes=150_000)
    await database.write(lambda c: c.execute(limit).rowcount)
    object_id, appends = await begin(database), uploads.appends
    held = await take_over(database, object_id)
    async with appends.append(held, KIND, partial(commit, database)) as appending:
        await appending.end(await appending.receive(broken_off(bytes(200_000), None), None))
        assert isinstance(appending.broken, QuotaExceeded)
    assert 140_000 <= appending.size <= 150_000
    assert await used(database) == (appending.size, 1)


@pytest.mark.parametrize("before", [0, 100_000])
async def test_a_body_with_another_digest_leaves_nothing(
    database: Database, store: FaultyStore, uploads: Uploads, access: Access, before: int
) -> None:
    data = random.Random(7).randbytes(400_000)
    object_id, appends = await begin(database), uploads.appends
    await append(appends, object_id, data[:before])
    announced = frozenset({(SHA256, bytes(32))})
    for _ in range(2):
        held = await take_over(database, object_id)
        async with appends.append(held, KIND, partial(commit, database)) as appending:
            with pytest.raises(DigestMismatch):
                await appending.receive(broken_off(bytes(300_000), None), None, None, announced)
        kept = await database.read(segments.find, object_id)
        assert sum(segment.size for segment in kept) == before
        assert await used(database) == (before, 1)
    found = await finish(uploads, access, object_id, data[before:])
    assert found.sha256 == hashlib.sha256(data).digest()
    assert found.crc32 == zlib.crc32(data)


async def test_what_may_be_withdrawn_is_not_merged_with_what_was_before(
    database: Database, uploads: Uploads, access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "MOST", merging.AT_ONCE)
    data = random.Random(8).randbytes(10 * SEGMENT)
    object_id, appends = await begin(database), uploads.appends
    await append(appends, object_id, data)
    announced = frozenset({(SHA256, bytes(32))})
    held = await take_over(database, object_id)
    async with appends.append(held, KIND, partial(commit, database)) as appending:
        with pytest.raises(DigestMismatch):
            await appending.receive(broken_off(bytes(40 * SEGMENT), None), None, None, announced)
    assert await used(database) == (len(data), 1)
    found = await finish(uploads, access, object_id)
    assert found.sha256 == hashlib.sha256(data).digest()
    assert found.crc32 == zlib.crc32(data)


async def test_tiny_neighbours_are_merged(
    database: Database, store: FaultyStore, uploads: Uploads, access: Access
) -> None:
    data = random.Random(6).randbytes(merging.AT_ONCE * 20)
    object_id, appends = await begin(database), uploads.appends
    for start in range(0, len(data), 10):
        await append(appends, object_id, data[start : start + 10])
    assert len(await database.read(segments.find, object_id)) <= merging.AT_ONCE
    assert await used(database) == (len(data), 1)
    found = await finish(uploads, access, object_id)
    assert found.sha256 == hashlib.sha256(data).digest()
    assert found.crc32 == zlib.crc32(data)
    whole = ByteRange(0, len(data))
    assert await read(database, store, found, whole) == data
    assert {segment.key for segment in found.stored} == await stored(database, store)


async def test_there_are_never_more_segments_than_may_be(
    database: Database, store: FaultyStore, uploads: Uploads, access: Access,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(merging, "MOST", 20)
    data = random.Random(7).randbytes(40 * SEGMENT)
    object_id = await begin(database)
    found = await finish(uploads, access, object_id, data)
    assert len(found.stored) <= 20
    assert found.sha256 == hashlib.sha256(data).digest()
    assert found.crc32 == zlib.crc32(data)
    assert await read(database, store, found, ByteRange(0, len(data))) == data
    assert {segment.key for segment in found.stored} == await stored(database, store)


@pytest.mark.parametrize(
    ("sizes", "run"),
    [
        ([], None),
        ([1] * 15, None),
        ([5 << 20, *[1] * 16], slice(1, 17)),
        ([5 << 20] * 999, None),
        ([*[5 << 20] * 400, *[2 << 20] * 16, *[5 << 20] * 584], slice(400, 416)),
    ],
)
def test_the_smallest_neighbours_are_merged(
    sizes: list[int], run: slice | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merging, "TINY", 1 << 20)
    assert merging.due(sizes) == run


async def test_a_scratch_copy_has_all_segments(
    database: Database, store: FaultyStore, uploads: Uploads, access: Access, tmp_path: Path
) -> None:
    data = random.Random(8).randbytes(200_000)
    object_id = await begin(database)
    found = await finish(uploads, access, object_id, data)
    scratch = Scratch(tmp_path / "scratch")
    async with Downloads(database, store, scratch).local_file(found) as file:
        assert file.read() == data
    scratch.close()


@pytest.mark.parametrize("is_ready", [True, False])
async def test_what_is_missing_of_a_segmented_object_is_found(
    database: Database, store: FaultyStore, uploads: Uploads, access: Access, *, is_ready: bool
) -> None:
    object_id = await begin(database)
    await append(uploads.appends, object_id, bytes(SEGMENT + 1))
    if is_ready:
        await finish(uploads, access, object_id, b"end")
    lost, *_, damaged = [segment.key for segment in await _segments(database, object_id)]
    await store.delete([lost, damaged])
    await store.put(damaged, broken_off(b"?", None), size=1)
    found = [
        found async for found in Comparison(database, store, clock.now(), checksums=True).run()
    ]
    assert set(found) == {("missing", lost), ("damaged", damaged)}


async def test_removing_many_objects_removes_their_segments(
    database: Database, store: FaultyStore, uploads: Uploads, access: Access
) -> None:
    ids = [await begin(database) for _ in range(3)]
    for object_id in ids[:2]:
        await append(uploads.appends, object_id, bytes(2 * SEGMENT))
    await finish(uploads, access, ids[0], bytes(10))
    held = await take_over(database, ids[2])
    await store.put(held.reservation.key, broken_off(b"unfinished", None), size=None)
    await database.write(removal.remove_all, ids, due_at=clock.now())
    assert await stored(database, store) == set()
    assert await used(database) == (0, 0)


async def test_a_download_of_a_lost_segment_is_an_alarm(
    database: Database, store: FaultyStore, uploads: Uploads, access: Access
) -> None:
    object_id = await begin(database)
    found = await finish(uploads, access, object_id, bytes(2 * SEGMENT))
    await store.delete([found.stored[1].key])
    with pytest.raises(ObjectDamaged, match=found.stored[1].key):
        await read(database, store, found, ByteRange(0, found.size))
    await database.write(removal.remove, object_id, due_at=clock.now())
    with pytest.raises(NotFound):
        await read(database, store, found, ByteRange(0, found.size))
