"""Databases of both kinds, with one small table in them."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection

from app.database import Database
from app.database.postgres.database import PostgresDatabase
from app.database.sqlite.database import SqliteDatabase
from tests import servers

OpenDatabase = Callable[[], Database]


@pytest.fixture(params=["sqlite", "postgres"])
def open_database(request: pytest.FixtureRequest, tmp_path: Path) -> OpenDatabase:
    """Opens one and the same fresh database, as often as it is called."""
    if request.param == "sqlite":
        return lambda: SqliteDatabase(tmp_path / "test.db")
    server: servers.PostgresServer = request.getfixturevalue("postgres_server")
    dsn = server.create_database()
    return lambda: PostgresDatabase(dsn)


@pytest.fixture
async def database(open_database: OpenDatabase) -> AsyncIterator[Database]:
    opened = open_database()
    await opened.write(make_table)
    yield opened
    await opened.aclose()


def make_table(connection: Connection) -> None:
    connection.exec_driver_sql("CREATE TABLE things (name TEXT PRIMARY KEY, n BIGINT NOT NULL)")
