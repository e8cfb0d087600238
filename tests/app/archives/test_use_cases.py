"""Archives of what is kept: members stay while they are sent, missing CRC-32s are found."""

import asyncio
import io
import random
import time
import zipfile
import zlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, update

from app import clock
from app.accounts.identity import Access
from app.archives.archive import Archive, Entry
from app.archives.use_cases import KEEPS, Archives, Piece, lay_out
from app.database import Database, Patience, instance
from app.errors import NotFound, ObjectDamaged
from app.objects import lifecycle as objects
from app.objects import removal
from app.objects.entities import Content
from app.objects.reading import contents
from app.objects.reading.downloads import Downloads
from app.objects.scratch import Scratch
from app.objects.tables import holds, object_bytes
from app.objects.tables import objects as rows
from app.objects.uploads import Body, Uploads
from app.tasks.sweep import Sweep
from storage.base import ByteRange
from storage.local import LocalStore
from tests.faults import FaultyStore

pytestmark = pytest.mark.anyio

INLINE = 1000
SIZES = (0, 1, INLINE, INLINE + 1, 300_000)
CHANCE = random.Random(1)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[FaultyStore]:
    """An empty store."""
    store = FaultyStore(LocalStore(tmp_path / "objects"))
    yield store
    await store.aclose()


@pytest.fixture
async def uploads(database: Database, store: FaultyStore) -> AsyncIterator[Uploads]:
    """What fills the store."""
    uploads = Uploads(database, store, inline_max=INLINE, on_give_up=lambda: None)
    yield uploads
    await uploads.aclose()


@pytest.fixture
def downloads(database: Database, store: FaultyStore, tmp_path: Path) -> Iterator[Downloads]:
    """What reads it."""
    scratch = Scratch(tmp_path / "scratch")
    yield Downloads(database, store, scratch)
    scratch.close()


@pytest.fixture
async def archives(database: Database, downloads: Downloads) -> AsyncIterator[Archives]:
    """What is tested."""
    archives = Archives(database, downloads, wake_sweep=lambda: None)
    yield archives
    await archives.aclose()


async def put(uploads: Uploads, access: Access, data: bytes) -> int:
    body = Body.of(data)
    async with uploads.receive(access, body, kind="blobs", admit=lambda *_: 1) as received:
        return await access.write(objects.settle, received, kind="blobs", slots=1, now=clock.now())


async def listed(database: Database, ids: Sequence[int]) -> list[Content]:
    """Return contents as lists have them: without the bytes of small ones."""
    query = select(*contents.content_columns(with_data=False)).where(rows.c.id.in_(ids))

    def read(connection: Connection) -> list[Content]:
        return [contents.content_of(row) for row in connection.execute(query.order_by(rows.c.id))]

    return await database.read(read)


async def forget_checksums(database: Database) -> None:
    """Make all objects as old ones are."""
    await database.write(lambda c: c.execute(update(rows).values(crc32=None)).close())


async def checksums(database: Database) -> list[int | None]:
    query = select(rows.c.crc32).order_by(rows.c.id)
    return await database.read(lambda c: [*c.execute(query).scalars()])


async def archive_of(database: Database, ids: Sequence[int]) -> Archive:
    contents = await listed(database, ids)
    entries = [Entry(str(n), content) for n, content in enumerate(contents)]
    return await lay_out(entries)


async def read(
    archives: Archives, downloads: Downloads, archive: Archive, part: ByteRange | None = None
) -> bytes:
    found = bytearray()
    part = part or ByteRange(0, archive.size)
    async with aclosing(archives.pieces(archive, part)) as pieces:
        async for piece in pieces:
            found += await read_piece(downloads, piece)
    return bytes(found)


async def read_piece(downloads: Downloads, piece: Piece) -> bytes:
    if piece.following is None:
        return piece.data
    async with downloads.open(piece.following.content, piece.following.part) as chunks:
        return piece.data + b"".join([chunk async for chunk in chunks])


@pytest.fixture
async def ids(uploads: Uploads, access: Access) -> list[int]:
    """Objects of `SIZES`, some in the database and some in the store."""
    return [await put(uploads, access, CHANCE.randbytes(size)) for size in SIZES]


async def test_an_archive_has_what_database_and_store_keep(
    database: Database,
    uploads: Uploads,
    access: Access,
    downloads: Downloads,
    archives: Archives,
) -> None:
    bodies = [CHANCE.randbytes(size) for size in SIZES]
    stored = [await put(uploads, access, body) for body in bodies]
    archive = await archive_of(database, stored)
    whole = await read(archives, downloads, archive)
    assert len(whole) == archive.size
    with zipfile.ZipFile(io.BytesIO(whole)) as found:
        assert [found.read(name) for name in found.namelist()] == bodies


async def test_a_part_reads_only_what_it_needs(
    database: Database,
    store: FaultyStore,
    ids: list[int],
    downloads: Downloads,
    archives: Archives,
) -> None:
    archive = await archive_of(database, ids)
    whole = await read(archives, downloads, archive)
    for start, stop in ((0, 10), (whole.rindex(b"PK\1\2"), len(whole)), (5000, 250_000)):
        opened = store.calls["open"]
        assert await read(archives, downloads, archive, ByteRange(start, stop)) == whole[start:stop]
        assert store.calls["open"] == opened + (start == 5000)


async def test_the_checksums_of_old_objects_are_found_once_and_kept(
    database: Database,
    store: FaultyStore,
    ids: list[int],
    downloads: Downloads,
    archives: Archives,
) -> None:
    known = await checksums(database)
    whole = await read(archives, downloads, await archive_of(database, ids))
    await forget_checksums(database)
    old = [await archive_of(database, ids) for _ in range(3)]
    directory = whole[whole.index(b"PK\1\2") :]
    end = ByteRange(len(whole) - len(directory), len(whole))
    opened = store.calls["open"]
    found = await asyncio.gather(*(read(archives, downloads, each, end) for each in old))
    assert found == [directory] * 3
    assert store.calls["open"] - opened == sum(size > INLINE for size in SIZES)
    # those of small ones are computed each time
    assert await checksums(database) == [
        crc32 if size > INLINE else None for size, crc32 in zip(SIZES, known, strict=True)
    ]
    assert old[0].sha256 == (await archive_of(database, ids)).sha256


async def test_a_checksum_is_found_even_if_who_asked_first_has_gone(
    database: Database,
    store: FaultyStore,
    ids: list[int],
    downloads: Downloads,
    archives: Archives,
) -> None:
    known = await checksums(database)
    await forget_checksums(database)
    archive = await archive_of(database, ids[-1:])
    reading = store.stall("open")
    first = asyncio.create_task(read(archives, downloads, archive))
    await reading.reached.wait()
    second = asyncio.create_task(read(archives, downloads, await archive_of(database, ids[-1:])))
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    reading.go.set()
    assert len(await second) == archive.size
    assert (await checksums(database))[-1] == known[-1]


async def test_changed_bytes_get_no_checksum(
    database: Database,
    ids: list[int],
    downloads: Downloads,
    archives: Archives,
    tmp_path: Path,
) -> None:
    """It would say that they are right."""
    await forget_checksums(database)
    (content,) = await listed(database, ids[-1:])
    assert content.key is not None
    path = tmp_path / "objects" / content.key
    path.write_bytes(b"x" + path.read_bytes()[1:])
    with pytest.raises(ObjectDamaged):
        await read(archives, downloads, await archive_of(database, ids[-1:]))
    assert (await checksums(database))[-1] is None


async def test_what_is_deleted_while_it_is_sent_stays_until_the_end(
    database: Database,
    store: FaultyStore,
    uploads: Uploads,
    access: Access,
    downloads: Downloads,
    archives: Archives,
) -> None:
    await database.write(instance.identify, "an-id")
    sweep = Sweep(database, store)
    bodies = [CHANCE.randbytes(size) for size in (INLINE, INLINE + 1, 300_000)]
    stored = [await put(uploads, access, body) for body in bodies]
    async with archives.holding():
        archive = await archive_of(database, stored)
        pieces = archives.pieces(archive, ByteRange(0, archive.size))
        first = await anext(pieces)
        for object_id in stored:
            now = clock.now()
            await database.write(lambda c, i, n: removal.remove(c, i, due_at=n), object_id, now)
        assert await sweep.run_once(clock.now()) == 0
        found = await read_piece(downloads, first)
        async for piece in pieces:
            found += await read_piece(downloads, piece)
    with zipfile.ZipFile(io.BytesIO(found)) as whole:
        assert [whole.read(name) for name in whole.namelist()] == bodies
    assert await sweep.run_once(clock.now()) == 2
    assert [info async for info in store.list()] == []


async def test_a_slow_download_keeps_deleted_bytes_only_for_a_time(
    database: Database, store: FaultyStore, ids: list[int], archives: Archives
) -> None:
    await database.write(instance.identify, "an-id")
    sweep, now = Sweep(database, store), clock.now()
    due = now - KEEPS
    await database.write(lambda c: removal.remove(c, ids[-1], due_at=due + clock.SECOND * 60))
    await database.write(lambda c: removal.remove(c, ids[-2], due_at=due))
    async with archives.holding():
        assert await sweep.run_once(now) == 1
    assert await sweep.run_once(now) == 1


async def test_a_small_member_that_is_gone_before_its_turn_ends_the_download(
    database: Database,
    uploads: Uploads,
    access: Access,
    downloads: Downloads,
    archives: Archives,
) -> None:
    small, large = [await put(uploads, access, bytes(size)) for size in (5, 2000)]
    archive = await archive_of(database, [small, large])
    await database.write(lambda c: removal.remove(c, small, due_at=clock.now()))
    with pytest.raises(NotFound):
        await read(archives, downloads, archive)


async def test_very_many_small_members_are_read_in_batches(
    database: Database, uploads: Uploads, access: Access, downloads: Downloads, archives: Archives
) -> None:
    first = await put(uploads, access, b"small")
    (content,) = await listed(database, [first])
    count = 1700

    def copy(connection: Connection) -> None:
        for table in (rows, object_bytes):
            id_ = table.c.id if table is rows else table.c.object_id
            row = connection.execute(select(table).where(id_ == first)).mappings().one()
            copies = [{**row, id_.name: first + n} for n in range(1, count)]
            connection.execute(table.insert(), copies)

    await database.write(copy)
    entries = [Entry("a", replace(content, object_id=first + n)) for n in range(count)]
    archive = await lay_out(entries)
    whole = await read(archives, downloads, archive)
    with zipfile.ZipFile(io.BytesIO(whole)) as found:
        assert found.testzip() is None
        assert found.namelist()[-1] == f"a ({count})"
        assert {info.CRC for info in found.infolist()} == {zlib.crc32(b"small")}


async def test_a_long_download_does_not_wait_for_the_database_as_one_request(
    database: Database,
    uploads: Uploads,
    access: Access,
    downloads: Downloads,
    archives: Archives,
) -> None:
    """The sum of its short waits is no sign that the database is away."""
    stored = [await put(uploads, access, bytes(size)) for size in (5, 2000)]
    await forget_checksums(database)
    archive = await archive_of(database, stored)
    request = Patience()
    request.spend(0, time.monotonic() + 1000)  # all that it may wait, and more
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(archives.holding())
        with request:
            whole = await read(archives, downloads, archive)
            await stack.aclose()
    assert len(whole) == archive.size
    assert await database.read(lambda c: c.execute(select(holds.c.id)).all()) == []
