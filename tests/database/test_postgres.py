"""What only PostgreSQL does: it goes away and comes back, and it finds deadlocks."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Connection

from app.database import DatabaseUnavailable
from app.database.postgres import CONNECTIONS, PostgresDatabase
from tests import servers

pytestmark = pytest.mark.anyio


@pytest.fixture
async def database(postgres_server: servers.PostgresServer) -> AsyncIterator[PostgresDatabase]:
    opened = PostgresDatabase(postgres_server.create_database())
    await opened.write(execute, "CREATE TABLE things (name TEXT PRIMARY KEY, n BIGINT NOT NULL)")
    yield opened
    await opened.aclose()


def execute(connection: Connection, sql: str) -> None:
    connection.exec_driver_sql(sql)


def name_of(connection: Connection) -> str:
    return str(connection.exec_driver_sql("SELECT current_database()").scalar_one())


async def test_connections_that_died_while_idle_are_replaced(
    database: PostgresDatabase, postgres_server: servers.PostgresServer
) -> None:
    names = await asyncio.gather(*(database.read(name_of) for _ in range(CONNECTIONS)))
    postgres_server.execute(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{names[0]}'"
    )
    again = await asyncio.gather(*(database.read(name_of) for _ in range(CONNECTIONS)))
    assert again == names
    await database.write(execute, "INSERT INTO things VALUES ('a', 1)")


async def test_a_deadlock_is_tried_again(database: PostgresDatabase) -> None:
    await database.write(execute, "INSERT INTO things VALUES ('a', 0), ('b', 0)")

    def both(connection: Connection, names: str) -> None:
        for name in names:
            connection.exec_driver_sql(f"UPDATE things SET n = n + 1 WHERE name = '{name}'")
            connection.exec_driver_sql("SELECT pg_sleep(0.05)")

    await asyncio.gather(*(database.write(both, names) for names in ("ab", "ba")))
    rows = await database.read(lambda c: c.exec_driver_sql("SELECT n FROM things").scalars().all())
    assert list(rows) == [2, 2]


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    database = PostgresDatabase("postgresql://nobody@127.0.0.1:1/nothing")
    with pytest.raises(DatabaseUnavailable):
        await database.read(name_of)
    with pytest.raises(DatabaseUnavailable):
        await database.write(name_of)
    await database.aclose()
