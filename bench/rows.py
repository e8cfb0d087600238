"""Rows by the million, written straight into Holdall's database: uploads would take an hour."""

import asyncio
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from app import clock
from app.dumps.search import searchable
from bench.client import WrongAnswer
from bench.servers import Server

FIRST = 1_000
"""The id of the first row; those before it belong to what the service made itself."""

LABELS = 10_000
BATCH = 20_000
_COPIED = 1_000
_FOLDERS = 256
_DAYS = 97  # over which dumps came

Row = tuple[Any, ...]

_OBJECTS = (
    "id, account_id, kind, key, state, size, sha256, charged_bytes, charged_slots, created_at"
)
_DUMPS = (
    "id, uuid, account_id, object_id, archived, created_at, modified_at, report_state, platform,"
    " signature, label, original_name, search, description, annotations, version"
)
_REMAINING = """
    SELECT max(id) FROM (SELECT id FROM dumps UNION ALL SELECT id FROM tombstones) AS remaining
"""


def fill_dumps(server: Server, count: int, postgres: str | None) -> None:
    """Make ``count`` dumps of the bench's account, with 10,000 labels, whose bytes are nowhere."""
    uuid = json.loads(server.ask("GET", "/v1/accounts/me"))["id"]
    if postgres is not None:
        asyncio.run(_fill_postgres(postgres, uuid, count))
    else:
        _fill_sqlite(server, uuid, count)


async def expire_dumps(server: Server, url: str, count: int) -> float:
    """Make dumps with a byte on disk each, let all expire at once, and wait until all is gone.

    Returns how many went a second.
    """
    folder = server.folder / "data" / "objects"
    before = _files(folder)
    connection = await asyncpg.connect(url)
    try:
        for n in range(count):
            path = folder / _key(FIRST + n)
            if n < _FOLDERS:
                path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
        uuid = json.loads(server.ask("GET", "/v1/accounts/me"))["id"]
        await _fill_postgres(url, uuid, count)
        await connection.execute(
            "UPDATE accounts SET used_bytes = used_bytes + $1, used_objects = used_objects + $1"
            " WHERE uuid = $2",
            count,
            uuid,
        )
        due = clock.now() + clock.SECOND
        await connection.execute("UPDATE dumps SET expires_at = $1", due)
        server.ask("PUT", "/v1/send/waker?expires_in=1", b"x")  # the task looks at the time anew
        begin = time.perf_counter() + (due - clock.now()) / clock.SECOND
        while await connection.fetchval(_REMAINING):  # noqa: ASYNC110 - another process works
            await asyncio.sleep(1)  # looking costs the server too
        seconds = time.perf_counter() - begin
    finally:
        await connection.close()
    left = _files(folder) - before
    if left:
        raise WrongAnswer(f"{len(left)} files are left, as {left.pop()}")
    return count / seconds


def _files(folder: Path) -> set[Path]:
    return {path for path in (folder / "dumps").rglob("*") if path.is_file()}


def _fill_sqlite(server: Server, uuid: str, count: int) -> None:
    path = server.folder / "data" / "holdall.db"
    with closing(sqlite3.connect(path, isolation_level=None, timeout=60)) as database:
        (account,) = database.execute("SELECT id FROM accounts WHERE uuid = ?", [uuid]).fetchone()
        for table, columns, rows in _tables(account, count):
            places = ", ".join("?" * len(columns.split(",")))
            while batch := list(islice(rows, BATCH)):
                database.execute("BEGIN IMMEDIATE")
                database.executemany(f"INSERT INTO {table} ({columns}) VALUES ({places})", batch)
                database.execute("COMMIT")
        database.execute("PRAGMA optimize")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


async def _fill_postgres(url: str, uuid: str, count: int) -> None:
    connection = await asyncpg.connect(url)
    try:
        account = await connection.fetchval("SELECT id FROM accounts WHERE uuid = $1", uuid)
        for table, columns, rows in _tables(account, count):
            names = [name.strip() for name in columns.split(",")]
            # of one transaction's own updates none is cleared away: counts would get ever slower
            while batch := list(islice(rows, _COPIED)):
                await connection.copy_records_to_table(table, records=batch, columns=names)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


def _tables(account: int, count: int) -> Iterator[tuple[str, str, Iterator[Row]]]:
    yield "objects", _OBJECTS, (_object(account, FIRST + n) for n in range(count))
    yield "dumps", _DUMPS, (_dump(account, FIRST + n, n, count) for n in range(count))


def _object(account: int, number: int) -> Row:
    return (number, account, "dumps", _key(number), "ready", 1, bytes(32), 1, 1, clock.now())


def _key(number: int) -> str:
    digits = f"{number % _FOLDERS:02x}{number:030x}"
    return f"dumps/{digits[0]}/{digits[1]}/{digits}"


def _dump(account: int, number: int, n: int, count: int) -> Row:
    label = f"app {n % LABELS}"
    name = f"report-{n:x}.dmp"
    text = f"crashed in module {n % 977} " + (f"needle-{n // 1_000}" if n % 1_000 == 0 else "")
    signature = f"SIGSEGV app+0x{n % 5_000 if n % 10 else 0:x}"  # one has a tenth of all
    platform, version = ("linux", "windows", "macos")[n % 3], f"1.{n // 7 % 20}"
    made = clock.now() - (count - n) * _DAYS // count * 24 * 60 * clock.MINUTE
    search = searchable(account, [name, label, text])
    read = (False, made, made, "read", platform, signature)
    facts = (*read, label, name, search, text, "{}", version)
    return (number, str(UUID(int=number)), account, number, *facts)
