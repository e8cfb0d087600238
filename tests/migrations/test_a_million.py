"""Migrations of a database with a million objects, from the first release's schema to today's."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest
from alembic import command
from sqlalchemy import Connection, inspect, text

from app.config import Settings
from app.database.migrate import alembic_config, current_revision, migrate, newest_revision
from app.database.postgres.connections import create_postgres_engine
from app.database.sqlite.connections import create_sqlite_engine
from app.parts import open_database
from tests import servers

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

OLDEST: Final = "0006"  # the first that has a table of every kind
ROWS: Final = {"objects": 1_000_000, "dumps": 500_000, "files": 400_000, "blobs": 100_000}
FIRST_OBJECT: Final = {"dumps": 0, "files": 500_000, "blobs": 900_000}
"""Each row has an object of its own, from this one on."""

CRASHES: Final = {
    "annotations": """'{"ver": "1.' || (n % 20) || '"}'""",
    "report_state": "'read'",
    "signature": "'s' || (n % 1000)",
    "created_at": "CAST(n AS bigint) * 1000000",
}


def fill(connection: Connection) -> None:
    """Make an account that has them all; columns that must have a value get a plain one."""
    command.upgrade(alembic_config(connection), OLDEST)
    insert(connection, "tiers", 1, {})
    insert(connection, "accounts", 1, {"tier_id": "1"})
    for table, count in ROWS.items():
        values = {"account_id": "1", "key": "'key' || n", "state": "'ready'"}
        if table in FIRST_OBJECT:
            values["object_id"] = f"n + {FIRST_OBJECT[table]}"
        if table == "dumps":
            values |= CRASHES
        insert(connection, table, count, values)


def insert(connection: Connection, table: str, count: int, values: dict[str, str]) -> None:
    columns = inspect(connection).get_columns(table)
    given: dict[str, str] = {}
    for column in columns:
        name = column["name"]
        if name == "id":
            given[name] = "n"
        elif name in values:
            given[name] = values[name]
        elif not column["nullable"]:
            given[name] = plain(column)
    names = ", ".join(given)
    numbers = f"WITH RECURSIVE g(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM g WHERE n < {count})"
    connection.execute(
        text(f"{numbers} INSERT INTO {table} ({names}) SELECT {', '.join(given.values())} FROM g")
    )


def plain(column: Any) -> str:  # noqa: ANN401 - a reflected column
    kind: Callable[[], Any] = column["type"].python_type
    if kind is bool:
        return "false"
    if kind is int:
        return "0"
    if kind is bytes:
        return "''"
    return "'t' || n"


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
async def test_a_million_objects_are_taken_along(
    database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    path = tmp_path / "test.db"
    if database == "postgres":
        server: servers.PostgresServer = request.getfixturevalue("postgres_server")
        url = server.create_database()
        engine = create_postgres_engine(url).execution_options(isolation_level="READ COMMITTED")
        async with engine.connect() as connection:
            await connection.run_sync(fill)
            await connection.commit()
        await engine.dispose()
    else:
        url = f"sqlite:///{path}"
        with create_sqlite_engine(path).begin() as connection:
            fill(connection)
    values: dict[str, Any] = {"database_url": url, "signing_key": "k" * 32}
    settings = Settings(_env_file=None, **values)
    await migrate(settings)
    opened = open_database(settings)
    assert await opened.read(current_revision) == newest_revision()
    assert await opened.read(counts) == ROWS
    assert await opened.read(signature) == (500, 0, "1.1", 500)
    await opened.aclose()


def counts(connection: Connection) -> dict[str, int]:
    return {
        table: connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
        for table in ROWS
    }


def signature(connection: Connection) -> tuple[object, ...]:
    """Return how many dumps one has and never had, and its versions with their counts."""
    one = "FROM signatures JOIN signature_counts ON signature = name WHERE name = 's1'"
    found = connection.execute(
        text(
            f"SELECT signatures.count, gone, version, sum(signature_counts.count) {one} "
            "GROUP BY 1, 2, 3"
        )
    )
    return tuple(found.one())
