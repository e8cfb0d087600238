"""The table of buffers."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, String, Table, Text

from app.database.schema import Id, identity, metadata, moment, reference

buffers = Table(
    "buffers",
    metadata,
    identity(),
    reference("account_id", "accounts", unique=True),
    # the row stays when the buffer is empty, so that its version never goes back
    Column("version", BigInteger, nullable=False),  # counts changes
    moment("modified_at"),
    # NULL from here on if it is empty
    Column("object_id", Id, ForeignKey("objects.id"), unique=True),
    Column("data_type", String(8)),  # text, file
    Column("name", Text),  # a file's
    Column("content_type", String(255)),
    moment("expires_at", nullable=True),
    sqlite_autoincrement=True,
)

expires = buffers.c.expires_at.is_not(None)
Index(None, buffers.c.expires_at, sqlite_where=expires, postgresql_where=expires)
