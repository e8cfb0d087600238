"""What only SQLite does: a full file, a lock that another process holds, durability."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection

from app.database import DatabaseFull, DatabaseUnavailable, Patience, patience
from app.database.sqlite.connections import create_sqlite_engine
from app.database.sqlite.database import READERS, SqliteDatabase
from tests.deadline import DEADLINE
from tests.memory import no_more_memory

PROJECT = Path(__file__).parents[3]

pytestmark = pytest.mark.anyio


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    opened = SqliteDatabase(tmp_path / "test.db")
    await opened.write(execute, "CREATE TABLE things (name TEXT)")
    yield opened
    await opened.aclose()


def execute(connection: Connection, sql: str) -> None:
    connection.exec_driver_sql(sql)


def count(connection: Connection) -> int:
    return int(connection.exec_driver_sql("SELECT count(*) FROM things").scalar_one())


async def test_a_full_disk_fails_only_those_who_find_no_room(database: SqliteDatabase) -> None:
    """A full disk rolls the whole group back; who fits in is written all the same."""
    pages = await database.read(lambda c: int(c.exec_driver_sql("PRAGMA page_count").scalar_one()))
    await database.write(execute, f"PRAGMA max_page_count = {pages + 2}")
    large = "INSERT INTO things VALUES (zeroblob(100000))"
    small = "INSERT INTO things VALUES ('small')"
    writes = [database.write(execute, large if i % 2 else small) for i in range(20)]
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert [isinstance(r, DatabaseFull) for r in results] == [bool(i % 2) for i in range(20)]
    assert await database.read(count) == 10


@pytest.mark.skipif(
    subprocess.run(["unshare", "-Urm", "true"], check=False).returncode != 0,
    reason="needs user namespaces to mount a small disk",
)
async def test_a_full_disk_does_not_keep_from_deleting(tmp_path: Path) -> None:
    mount = (
        'mount -t tmpfs -o size=20m tmpfs "$1" && exec "$0" -m tests.app.database.full_disk "$1"'
    )
    process = await asyncio.create_subprocess_exec(
        *("unshare", "-Urm", "sh", "-c", mount, sys.executable, tmp_path), cwd=PROJECT
    )
    assert await process.wait() == 0


async def test_a_writer_waits_for_another_process(database: SqliteDatabase, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "test.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("INSERT INTO things VALUES ('theirs')")
        write = asyncio.create_task(database.write(execute, "INSERT INTO things VALUES ('ours')"))
        done, _ = await asyncio.wait([write], timeout=0.1)
        assert not done
        other.execute("COMMIT")
        await write
    other.close()
    assert await database.read(count) == 2


async def test_a_read_sees_one_snapshot(database: SqliteDatabase) -> None:
    loop = asyncio.get_running_loop()

    def twice(connection: Connection) -> tuple[int, int]:
        before = count(connection)
        insert = database.write(execute, "INSERT INTO things VALUES ('meanwhile')")
        asyncio.run_coroutine_threadsafe(insert, loop).result(DEADLINE)
        return before, count(connection)

    assert await database.read(twice) == (0, 0)
    assert await database.read(count) == 1


async def test_reads_that_share_a_snapshot_see_what_was_written_before_they_came(
    database: SqliteDatabase,
) -> None:
    async def write_and_read(name: int) -> int:
        await database.write(execute, f"INSERT INTO things VALUES ('{name}')")
        found = f"SELECT count(*) FROM things WHERE name = '{name}'"
        return await database.read(lambda c: int(c.exec_driver_sql(found).scalar_one()))

    assert await asyncio.gather(*(write_and_read(n) for n in range(300))) == [1] * 300


async def test_a_read_that_fails_takes_no_other_along(database: SqliteDatabase) -> None:
    def fail(_: Connection) -> int:
        raise LookupError

    reads = [database.read(fail if n % 3 else count) for n in range(60)]
    results = await asyncio.gather(*reads, return_exceptions=True)
    assert [isinstance(r, LookupError) for r in results] == [bool(n % 3) for n in range(60)]


async def test_a_long_read_holds_up_no_other(database: SqliteDatabase) -> None:
    go_on = threading.Event()

    def wait(_: Connection) -> bool:
        return go_on.wait(DEADLINE)

    async def some() -> list[int]:
        return await asyncio.gather(*(database.read(count) for _ in range(40)))

    before = asyncio.create_task(some())
    long = asyncio.create_task(database.read_long(wait))
    after = asyncio.create_task(some())
    assert await before == await after == [0] * 40
    assert not long.done()
    go_on.set()
    assert await long


async def test_a_long_read_that_waits_while_the_database_closes_is_answered(
    database: SqliteDatabase,
) -> None:
    go_on = threading.Event()
    busy = [
        asyncio.create_task(database.read_long(lambda _: go_on.wait(DEADLINE)))
        for _ in range(READERS)
    ]
    waiting = [asyncio.create_task(database.read(count))]
    waiting += [asyncio.create_task(database.read_long(count)) for _ in range(2 * READERS)]
    await asyncio.sleep(0)  # every one of them has been handed over
    closing = asyncio.create_task(database.aclose())
    await asyncio.sleep(0)
    go_on.set()
    async with asyncio.timeout(DEADLINE):
        assert await asyncio.gather(*busy, *waiting) == [True] * READERS + [0] * len(waiting)
        await closing


async def test_a_lock_that_is_not_given_back_fails_all_who_wait_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.database.sqlite.connections.BUSY_TIMEOUT", 500)
    database = SqliteDatabase(tmp_path / "test.db")
    await database.write(execute, "CREATE TABLE things (name TEXT)")
    add = "INSERT INTO things VALUES ('ours')"
    with closing(sqlite3.connect(tmp_path / "test.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        begun = time.monotonic()
        writes = [database.write(execute, add) for _ in range(100)]
        answers = await asyncio.gather(*writes, return_exceptions=True)
        assert time.monotonic() - begun < 25, "one by one it would take twice as long at least"
    assert all(isinstance(answer, DatabaseUnavailable) for answer in answers)
    await database.write(execute, add)
    assert await database.read(count) == 1
    await database.aclose()


async def test_a_request_waits_for_a_busy_database_no_longer_than_it_may(
    database: SqliteDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "LIMIT", 0.2)
    begun, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def hold(_: Connection) -> None:
        loop.call_soon_threadsafe(begun.set)
        go_on.wait(DEADLINE)

    slow = asyncio.create_task(database.write(hold))
    await begun.wait()
    add = "INSERT INTO things VALUES ('late')"
    with Patience(), pytest.raises(DatabaseUnavailable):
        await database.write(execute, add)
    go_on.set()
    await slow
    await database.write(execute, "INSERT INTO things VALUES ('next')")
    assert await database.read(count) == 1, "what was answered as not done is not done later"


async def test_a_database_that_could_not_be_opened_is_tried_again(tmp_path: Path) -> None:
    database = SqliteDatabase(tmp_path / "folder" / "test.db")
    for verb in (database.read, database.write):
        with pytest.raises(DatabaseUnavailable):
            await verb(lambda c: execute(c, "SELECT 1"))
    (tmp_path / "folder").mkdir()
    for verb in (database.write, database.read):
        await verb(lambda c: execute(c, "SELECT 1"))
    await database.aclose()


async def test_a_database_without_memory_says_so_and_goes_on(database: SqliteDatabase) -> None:
    def hoard(connection: Connection) -> int:
        large = connection.exec_driver_sql("SELECT length(randomblob(400000000))")
        return int(large.scalar_one())

    for verb in (database.read, database.write):
        with no_more_memory(), pytest.raises(MemoryError):
            await verb(hoard)
    await database.write(execute, "INSERT INTO things VALUES ('small')")
    assert await database.read(count) == 1


async def test_commits_are_synced(tmp_path: Path) -> None:
    with create_sqlite_engine(tmp_path / "test.db").connect() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
