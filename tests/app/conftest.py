"""Bare databases for the tests of services: migrated, nothing in them."""

import functools
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from app.database import Database
from app.database.migrate import migrate_sqlite
from app.database.postgres.database import PostgresDatabase
from app.database.sqlite.database import SqliteDatabase
from app.security.passwords import Cost, Passwords
from tests.databases import Databases


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(
    request: pytest.FixtureRequest, tmp_path: Path, anyio_backend: str
) -> AsyncIterator[Database]:
    """An empty database of either kind."""
    if request.param == "sqlite":
        path = tmp_path / "test.db"
        path.write_bytes(_sqlite_file())
        opened: Database = SqliteDatabase(path)
        yield opened
        await opened.aclose()
        return
    databases: Databases = request.getfixturevalue("databases")
    dsn = databases.take()
    opened = PostgresDatabase(dsn)
    yield opened
    await opened.aclose()
    databases.give_back(dsn)


@functools.cache
def _sqlite_file() -> bytes:
    """Return a file with all tables: making them takes longer than most tests."""
    with tempfile.TemporaryDirectory(prefix="holdall-tables-") as folder:
        path = Path(folder) / "test.db"
        migrate_sqlite(path)
        return path.read_bytes()


@pytest.fixture
def passwords(monkeypatch: pytest.MonkeyPatch) -> Iterator[Passwords]:
    """A hasher of passwords, which takes the least time: its own tests take the real one."""
    monkeypatch.setattr("app.security.passwords.COST", Cost(memory=8, rounds=1))
    made = Passwords()
    yield made
    made.close()
