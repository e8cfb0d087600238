"""The common parts of all tables: names of constraints, and the types of columns."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers rows by itself only in a column that is exactly INTEGER
Id = BigInteger().with_variant(Integer, "sqlite")

# sorts by code point in both databases, whatever the locale of PostgreSQL's
CodePoints = Text().with_variant(Text(collation="C"), "postgresql")


def identity() -> Column[Any]:
    """Return an integer primary key, whose values are never reused."""
    return Column("id", Id, primary_key=True, autoincrement=True)


def public_id() -> Column[Any]:
    """Return the column of the UUIDv7 that clients know a row by."""
    kind = String(36).with_variant(String(36, collation="C"), "postgresql")
    return Column("uuid", kind, nullable=False, unique=True)


def reference(name: str, target: str, **options: Any) -> Column[Any]:  # noqa: ANN401 - Column's own
    """Return a column that refers to another table's ``id``; deletes never cascade."""
    return Column(name, Id, ForeignKey(f"{target}.id"), nullable=False, **options)


def moment(name: str, *, nullable: bool = False, index: bool = False) -> Column[Any]:
    """Return a column of UTC microseconds."""
    return Column(name, BigInteger, nullable=nullable, index=index)


def partial_index(
    where: ColumnElement[bool],
    *columns: Column[Any],
    name: str | None = None,
    unique: bool = False,
) -> Index:
    """Return an index of those rows of a table that meet a condition."""
    return Index(name, *columns, unique=unique, sqlite_where=where, postgresql_where=where)
