"""Bare databases for the tests of services: migrated, nothing in them."""

import functools
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from app.config import Settings
from app.database import Database
from app.database.migrate import migrate, migrate_sqlite
from app.database.postgres.database import PostgresDatabase
from app.database.sqlite.database import SqliteDatabase
from app.security.passwords import Passwords
from tests.servers import PostgresServer


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
    server = request.getfixturevalue("postgres_server")
    dsn = server.create_database(template=await _template(server))
    opened = PostgresDatabase(dsn)
    yield opened
    await opened.aclose()
    server.drop_database(dsn)


@functools.cache
def _sqlite_file() -> bytes:
    """Return a file with all tables: making them takes longer than most tests."""
    with tempfile.TemporaryDirectory(prefix="holdall-tables-") as folder:
        path = Path(folder) / "test.db"
        migrate_sqlite(path)
        return path.read_bytes()


_templates: dict[str, str] = {}


async def _template(server: PostgresServer) -> str:
    """Return the name of a database with all tables: a copy is made in a tenth of the time."""
    if server.dsn not in _templates:
        dsn = server.create_database()
        await migrate(Settings(_env_file=None, database_url=dsn, signing_key="k" * 64))
        _templates[server.dsn] = dsn.rpartition("/")[2]
    return _templates[server.dsn]


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    """A hasher of passwords."""
    made = Passwords()
    yield made
    made.close()
