"""The tables of buffers: what is in them, and what was."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, String, Table, Text

from app.database.schema import Id, identity, metadata, moment, partial_index, public_id, reference

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
partial_index(expires, buffers.c.expires_at)

past_clips = Table(
    "past_clips",
    metadata,
    identity(),
    public_id(),
    reference("account_id", "accounts"),
    reference("object_id", "objects", unique=True),
    Column("data_type", String(8), nullable=False),
    Column("name", Text),
    Column("content_type", String(255), nullable=False),
    moment("modified_at"),
    moment("expires_at", index=True),
    Index(None, "account_id", "id"),
    sqlite_autoincrement=True,
)
