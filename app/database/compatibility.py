"""Which older programs can work with the schema that a newer one has made."""

from typing import Final

from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, inspect, select

schema_compatibility: Final = Table(
    "schema_compatibility",
    MetaData(),  # it says something of the schema, as Alembic's table does, and holds no data
    Column("id", Integer, primary_key=True, autoincrement=False),  # 1
    Column("usable_from", String(32), nullable=False),  # a revision that programs must know
)


def usable_from(connection: Connection) -> str | None:
    """Return the revision that a program must know; None for a schema that doesn't say."""
    if not inspect(connection).has_table(schema_compatibility.name):
        return None
    return connection.execute(select(schema_compatibility.c.usable_from)).scalar()
