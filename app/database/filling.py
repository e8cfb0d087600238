"""Filling an empty database with the rows of another: its schema, its rows, its numbers.

Functions for `app.database.transactions.filling`, and one for a snapshot. The schema is that of the
other database's release, whose tables are as the database has them, not as the models say.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, MetaData, Table, inspect, select, text

from app.database.compatibility import schema_compatibility
from app.database.migrate import alembic_config, current_revision
from app.database.schema import metadata


def is_empty(connection: Connection) -> bool:
    """Tell whether no table has a row, as after a migration."""
    there = set(inspect(connection).get_table_names())
    tables = [table for table in metadata.sorted_tables if table.name in there]
    return all(
        connection.execute(select(text("1")).select_from(table).limit(1)).first() is None
        for table in tables
    )


def begin_at(connection: Connection, revision: str) -> None:
    """Bring an empty database's schema to a revision, if need be an older one."""
    if current_revision(connection) == revision:
        return
    from alembic import command

    _drop_all(connection)
    command.upgrade(alembic_config(connection), revision)


def _drop_all(connection: Connection) -> None:
    """Drop our tables, from which there is no way back to an older schema."""
    ours = {table.name for table in metadata.sorted_tables}
    ours |= {"alembic_version", schema_compatibility.name}
    there = MetaData()
    there.reflect(connection, only=lambda name, _: name in ours)
    there.drop_all(connection)
    if connection.dialect.name == "sqlite":
        virtual = "SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL TABLE%'"
        for name in connection.exec_driver_sql(virtual).scalars().all():
            connection.exec_driver_sql(f'DROP TABLE "{name}"')


def tables_of(connection: Connection, names: Sequence[str]) -> dict[str, Table]:
    """Return those of some tables that the database has, as it has them, by their names."""
    found = MetaData()
    found.reflect(connection, only=lambda name, _: name in names)
    return dict(found.tables)


def insert_rows(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows as they were."""
    connection.execute(table.insert(), rows)


def last_id(connection: Connection, table: Table) -> int | None:
    """Return the highest id that a table has ever given; None if it gives none."""
    column = table.c.get("id")
    if column is None or not column.autoincrement:
        return None
    if connection.dialect.name == "sqlite":
        found = connection.execute(
            text("SELECT seq FROM sqlite_sequence WHERE name = :name"), {"name": table.name}
        ).scalar()
    else:
        found = connection.execute(
            text("SELECT pg_sequence_last_value(pg_get_serial_sequence(:name, 'id'))"),
            {"name": table.name},
        ).scalar()
    return int(found or 0)


def number_after(connection: Connection, name: str, last: int) -> None:
    """Let a table give ids only above ``last``, so that none comes twice."""
    if last == 0 or not inspect(connection).has_table(name):
        return
    values = {"name": name, "last": last}
    if connection.dialect.name == "sqlite":
        connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), values)
        connection.execute(text("INSERT INTO sqlite_sequence VALUES (:name, :last)"), values)
    else:
        connection.execute(
            text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :last)"), values
        )
