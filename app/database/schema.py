"""What all tables share: naming, text that sorts by code point, and the kinds of columns."""

from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, MetaData, String, Text

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

# by code point in both databases, whatever locale PostgreSQL's was made with
CodePoints = Text().with_variant(Text(collation="C"), "postgresql")


def identity() -> Column[Any]:
    """Make the integer primary key, whose values are never reused."""
    return Column("id", Id, primary_key=True, autoincrement=True)


def public_id() -> Column[Any]:
    """Make the UUIDv7 that clients know a row by."""
    kind = String(36).with_variant(String(36, collation="C"), "postgresql")
    return Column("uuid", kind, nullable=False, unique=True)


def reference(name: str, target: str, **options: Any) -> Column[Any]:  # noqa: ANN401 - Column's own
    """Make a column that refers to another table's ``id``; deletes never cascade."""
    return Column(name, Id, ForeignKey(f"{target}.id"), nullable=False, **options)


def moment(name: str, *, nullable: bool = False, index: bool = False) -> Column[Any]:
    """Make a column of UTC microseconds."""
    return Column(name, BigInteger, nullable=nullable, index=index)
