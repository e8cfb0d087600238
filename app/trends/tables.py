"""The table of what the service kept, day by day."""

from sqlalchemy import BigInteger, Column, Integer, Table

from app.database.schema import metadata

daily_use = Table(
    "daily_use",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),  # in UTC, since 1970
    Column("objects", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
)
