"""The table of files."""

from sqlalchemy import BigInteger, Column, Index, String, Table, Text

from app.database.schema import identity, metadata, moment, partial_index, public_id, reference

files = Table(
    "files",
    metadata,
    identity(),
    public_id(),
    reference("account_id", "accounts"),
    reference("object_id", "objects", unique=True),
    Column("name", Text, nullable=False),
    Column("content_type", String(255), nullable=False),
    moment("created_at"),
    moment("modified_at"),
    moment("expires_at", nullable=True),  # NULL: kept
    Column("inbox_id", BigInteger),  # the id of the inbox that it came by, never reused
    Index(None, "account_id", "id"),
    Index(None, "account_id", "name", "id"),  # for files by name
    sqlite_autoincrement=True,
)

expires = files.c.expires_at.is_not(None)
# for expiry, and for eviction within an account: what expires first goes first
partial_index(expires, files.c.expires_at)
partial_index(expires, files.c.account_id, files.c.expires_at, files.c.id)

received = files.c.inbox_id.is_not(None)
partial_index(received, files.c.inbox_id, files.c.created_at)
