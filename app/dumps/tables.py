"""Crash dumps, what was read out of them, and the files that came along.

The search index over ``dumps.search`` is of another kind on each database, so it is in no table
here: its migration makes it, and `app.database.search` asks it.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, String, Table, Text, null

from app.database.schema import CodePoints, identity, metadata, moment, public_id, reference

# what lists look at comes first: SQLite reads a row from its beginning, and only as far as needed
dumps = Table(
    "dumps",
    metadata,
    identity(),
    public_id(),
    reference("account_id", "accounts"),
    reference("object_id", "objects", unique=True),
    Column("archived", Boolean, nullable=False),
    moment("created_at"),
    moment("modified_at"),
    moment("expires_at", nullable=True),
    # reading the minidump comes after the answer: pending, read, failed (why is in the report),
    # none (not a minidump)
    Column("report_state", String(8), nullable=False),
    moment("report_claimed_until", nullable=True),
    Column("platform", CodePoints),
    Column("architecture", CodePoints),
    Column("exception", CodePoints),
    Column("module", CodePoints),
    Column("signature", CodePoints),  # exception + module + offset: equal crashes have the same
    Column("label", CodePoints),
    Column("original_name", Text, nullable=False),
    Column("search", Text, nullable=False),  # all that ?q= looks at, folded, a line each
    Column("description", Text, nullable=False),
    Column("annotations", Text, nullable=False),  # a JSON object of texts
    Column("report", Text),  # JSON
    Column("submitted_bytes", BigInteger),  # what it takes of the budget of public keys, if it does
    Index(None, "account_id", "id"),
    Index(None, "account_id", "label", "id"),
    # these hold all that is asked of them when a million dumps are counted
    Index("ix_dumps_by_signature", "account_id", "signature", "id", "created_at", "expires_at"),
    Index("ix_dumps_by_time", "account_id", "created_at", "expires_at"),
    sqlite_autoincrement=True,
)

for column, condition in (
    (dumps.c.expires_at, dumps.c.expires_at.is_not(null())),
    (dumps.c.report_claimed_until, dumps.c.report_state == "pending"),
):
    Index(None, column, sqlite_where=condition, postgresql_where=condition)

Index(
    "ix_dumps_submitted",
    dumps.c.account_id,
    dumps.c.id,
    dumps.c.object_id,
    dumps.c.submitted_bytes,
    sqlite_where=dumps.c.submitted_bytes.is_not(null()),
    postgresql_where=dumps.c.submitted_bytes.is_not(null()),
)

dump_attachments = Table(
    "dump_attachments",
    metadata,
    identity(),
    public_id(),
    reference("account_id", "accounts", index=True),
    reference("dump_id", "dumps", index=True),
    reference("object_id", "objects", unique=True),
    Column("field", Text, nullable=False),  # of the form that it came in
    Column("name", Text, nullable=False),
    Column("content_type", String(255), nullable=False),
    moment("created_at"),
    sqlite_autoincrement=True,
)
