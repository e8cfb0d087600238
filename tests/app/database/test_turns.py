"""Turns at writing: processes that share a SQLite file wait in line, and for nobody for ever."""

import asyncio
import fcntl
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app import metrics
from app.database.sqlite import turns
from app.database.sqlite.database import SqliteDatabase
from tests.app.database.test_sqlite import count, execute
from tests.deadline import DEADLINE

pytestmark = pytest.mark.anyio

INSERT = "INSERT INTO things VALUES ('it')"


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    opened = SqliteDatabase(tmp_path / "test.db")
    await opened.write(execute, "CREATE TABLE things (name TEXT)")
    yield opened
    await opened.aclose()


@contextmanager
def turn_of_another(folder: Path) -> Iterator[None]:
    """Hold the turn, as another process that writes."""
    with (folder / "test.db.turn").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def commits() -> int:
    return sum(metrics.commit_writes.counts)


async def test_what_comes_during_the_wait_shares_the_commit(
    database: SqliteDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "PATIENCE", DEADLINE)
    before = commits()
    with turn_of_another(tmp_path):
        writes = [asyncio.create_task(database.write(execute, INSERT)) for _ in range(5)]
        done, _ = await asyncio.wait(writes, timeout=0.1)
        assert not done
    async with asyncio.timeout(DEADLINE):
        await asyncio.gather(*writes)
    assert commits() == before + 1
    assert await database.read(count) == 5


async def test_one_that_stands_still_is_not_waited_for_and_leaves_no_lock(
    database: SqliteDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "PATIENCE", 0.05)
    with turn_of_another(tmp_path):
        await database.write(execute, INSERT)
        monkeypatch.setattr(turns, "PATIENCE", 10 * DEADLINE)
        async with asyncio.timeout(DEADLINE):  # it has been waited for once
            await database.write(execute, INSERT)
    async with asyncio.timeout(DEADLINE):
        await asyncio.to_thread(hold_once, tmp_path)
        await database.write(execute, INSERT)  # and it waits in line again
        await asyncio.to_thread(hold_once, tmp_path)
    assert await database.read(count) == 3


def hold_once(folder: Path) -> None:
    with turn_of_another(folder):
        pass
