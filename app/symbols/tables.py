"""Tables of symbols: the files, and the symbols in each, with the caches that are made of them."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text

from app.database.schema import (
    CodePoints,
    Id,
    identity,
    metadata,
    moment,
    partial_index,
    public_id,
    reference,
)

symbol_files = Table(
    "symbol_files",
    metadata,
    identity(),
    reference("account_id", "accounts", index=True),
    reference("object_id", "objects", unique=True),
    Column("name", Text, nullable=False),
    moment("created_at"),
    moment("used_at"),  # when a report needed it, about
    moment("expires_at", nullable=True),
    sqlite_autoincrement=True,
)

symbols = Table(
    "symbols",
    metadata,
    identity(),
    public_id(),
    reference("account_id", "accounts"),
    reference("file_id", "symbol_files", index=True),
    Column("object_id", Id, ForeignKey("objects.id"), unique=True),  # the cache; NULL: none yet
    Column("number", Integer, nullable=False),  # in the file
    Column("debug_file", CodePoints, nullable=False),
    Column("debug_id", CodePoints, nullable=False),
    Column("code_id", CodePoints),
    Column("arch", String(32), nullable=False),
    Column("form", String(32), nullable=False),
    Column("features", String(64), nullable=False),
    Column("state", String(8), nullable=False),  # pending, ready, failed
    Column("error", Text),
    Column("claimed_until", BigInteger),  # of pending ones; NULL: not pending
    moment("created_at"),
    # dumps below this id are still to be read again, the next at this time; NULL: none
    Column("reread_below", BigInteger),
    moment("reread_at", nullable=True),
    Index(None, "account_id", "id"),
    Index(None, "account_id", "debug_id"),
    Index(None, "account_id", "code_id"),
    sqlite_autoincrement=True,
)

for column in (symbol_files.c.expires_at, symbols.c.claimed_until, symbols.c.reread_at):
    present = column.is_not(None)
    partial_index(present, column)
