"""The table of blobs."""

from sqlalchemy import Column, Index, String, Table, UniqueConstraint

from app.database.schema import CodePoints, identity, metadata, moment, reference

blobs = Table(
    "blobs",
    metadata,
    identity(),
    reference("account_id", "accounts"),
    Column("name", CodePoints, nullable=False),  # the client's id
    reference("object_id", "objects", unique=True),
    Column("content_type", String(255), nullable=False),
    moment("created_at"),
    moment("modified_at"),
    UniqueConstraint("account_id", "name"),
    Index(None, "account_id", "id"),
    sqlite_autoincrement=True,
)
