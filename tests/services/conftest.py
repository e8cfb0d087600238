"""Bare databases for the tests of services: tables as the models have them, nothing in them."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from app.database import Database
from app.database.postgres import PostgresDatabase, create_postgres_engine
from app.database.sqlite import SqliteDatabase, create_sqlite_engine
from app.models import metadata
from app.security.passwords import Passwords


@pytest.fixture(params=["sqlite", "postgresql"])
async def database(
    request: pytest.FixtureRequest, tmp_path: Path, anyio_backend: str
) -> AsyncIterator[Database]:
    """An empty database of either kind."""
    if request.param == "sqlite":
        path = tmp_path / "test.db"
        engine = create_sqlite_engine(path)
        metadata.create_all(engine)
        engine.dispose()
        opened: Database = SqliteDatabase(path)
        yield opened
        await opened.aclose()
        return
    server = request.getfixturevalue("postgres_server")
    dsn = server.create_database()
    async_engine = create_postgres_engine(dsn)
    async with async_engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    await async_engine.dispose()
    opened = PostgresDatabase(dsn)
    yield opened
    await opened.aclose()
    server.drop_database(dsn)


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    """A hasher of passwords."""
    made = Passwords()
    yield made
    made.close()
