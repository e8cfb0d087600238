"""The table that says which database this is."""

from sqlalchemy import BigInteger, Column, String, Table

from app.database.schema import Id, metadata

instance = Table(
    "instance",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=False),
    # the store carries both, see `app.database.instance`
    Column("uuid", String(36), nullable=False),
    Column("generation", BigInteger, nullable=False),  # 0: it has marked no store yet
)
