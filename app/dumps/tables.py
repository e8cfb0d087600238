"""Tables of dumps and their attachments.

The index over ``dumps.search`` differs between the databases: a migration creates it, and
`app.database.search` queries it.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    null,
)

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

# what lists need comes first: SQLite reads a row from its start, only as far as needed
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
    # pending, read, failed (the report says why), or none (not a minidump)
    Column("report_state", String(8), nullable=False),
    moment("report_claimed_until", nullable=True),
    Column("platform", CodePoints),
    Column("architecture", CodePoints),
    Column("exception", CodePoints),
    Column("module", CodePoints),
    Column("signature", CodePoints),  # exception, module and offset, equal for equal crashes
    Column("label", CodePoints),
    Column("original_name", Text, nullable=False),
    Column("search", Text, nullable=False),  # what ?q= searches, folded, a line each
    Column("description", Text, nullable=False),
    Column("annotations", Text, nullable=False),  # a JSON object of texts
    Column("report", Text),  # JSON
    Column("submitted_bytes", BigInteger),  # of the budget of public keys; NULL: not in it
    moment("reread_at", nullable=True),  # when it is to be read again; NULL: it isn't
    Column("version", CodePoints),  # of the application
    moment("dropped_at", nullable=True),  # when its bytes were dropped; NULL: they are there
    Index(None, "account_id", "id"),
    Index(None, "account_id", "label", "id"),
    # for filters, and for the first and the last dump of a signature
    Index("ix_dumps_by_signature", "account_id", "signature", "id", "created_at", "expires_at"),
    Index("ix_dumps_by_time", "account_id", "created_at", "expires_at"),
    sqlite_autoincrement=True,
)

for column, condition in (
    (dumps.c.reread_at, dumps.c.reread_at.is_not(null())),
    (dumps.c.expires_at, dumps.c.expires_at.is_not(null())),
    (dumps.c.report_claimed_until, dumps.c.report_state == "pending"),
):
    partial_index(condition, column)

partial_index(
    dumps.c.version.is_not(null()),
    dumps.c.account_id,
    dumps.c.version,
    dumps.c.id,
    name="ix_dumps_by_version",
)
partial_index(
    dumps.c.submitted_bytes.is_not(null()),
    dumps.c.account_id,
    dumps.c.id,
    dumps.c.object_id,
    dumps.c.submitted_bytes,
    name="ix_dumps_submitted",
)

# of how many dumps alike the bytes are there
partial_index(
    dumps.c.dropped_at.is_(null()),
    dumps.c.account_id,
    dumps.c.signature,
    dumps.c.version,
    name="ix_dumps_with_bytes",
)

dump_attachments = Table(
    "dump_attachments",
    metadata,
    identity(),
    public_id(),
    reference("account_id", "accounts", index=True),
    reference("dump_id", "dumps", index=True),
    reference("object_id", "objects", unique=True),
    Column("field", Text, nullable=False),  # of the form that it was sent in
    Column("name", Text, nullable=False),
    Column("content_type", String(255), nullable=False),
    moment("created_at"),
    sqlite_autoincrement=True,
)

# how many dumps there are and what they weigh, by day and, for each day, label and signature;
# triggers of a migration keep it, and the two tables below, which have no row for none
dump_counts = Table(
    "dump_counts",
    metadata,
    Column("account_id", Id, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("facet", String(9), primary_key=True),  # day, label, signature
    Column("name", CodePoints, primary_key=True),  # of a day: ''
    Column("day", Integer, primary_key=True, autoincrement=False),  # in UTC, since 1970
    Column("count", BigInteger, nullable=False),
    Column("size", BigInteger, nullable=False),  # of the dumps, without their attachments
    Column("archived", BigInteger, nullable=False, server_default="0"),  # of the count
    Index("ix_dump_counts_by_day", "account_id", "facet", "day", "name", "count"),
    sqlite_with_rowid=False,
)

# how many dumps a signature has, by day, version and platform; '' stands for none
signature_counts = Table(
    "signature_counts",
    metadata,
    Column("account_id", Id, ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("signature", CodePoints, primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("version", CodePoints, primary_key=True),
    Column("platform", CodePoints, primary_key=True),
    Column("count", BigInteger, nullable=False),
    Column("archived", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# a signature stays when its dumps are gone; the triggers make it with its first dump, and keep its
# counts and when its dumps came
signatures = Table(
    "signatures",
    metadata,
    identity(),
    public_id(),
    reference("account_id", "accounts"),
    Column("name", CodePoints, nullable=False),
    Column("state", String(8), nullable=False),  # open, ignored, resolved
    Column("resolved_in", CodePoints),  # a version
    moment("resolved_at", nullable=True),
    Column("regressed_in", CodePoints),  # likewise, of the crash that opened it again
    moment("regressed_at", nullable=True),
    Column("note", Text, nullable=False),
    moment("first_seen_at"),
    moment("last_seen_at"),
    moment("modified_at"),  # by its account, or by a regression
    Column("count", BigInteger, nullable=False),  # of the dumps that are there
    Column("size", BigInteger, nullable=False),  # of these, without their attachments
    Column("gone", BigInteger, nullable=False),  # how many dumps it had that are no more
    # how many came in the last clock hour with any, and in the one before it; since 1970
    Column("hour", Integer, nullable=False),
    Column("in_hour", BigInteger, nullable=False),
    Column("in_hour_before", BigInteger, nullable=False),
    Column("spike_day", Integer),  # in UTC, since 1970: the last day with a spike
    # while rules are applied to the dumps: the name that all moved to, '' for several
    Column("becomes", CodePoints),
    Column("made_of", Integer),  # and of how many renamed ones it is made; NULL: it was there
    Index(None, "account_id", "name", unique=True),
    Index(None, "account_id", "last_seen_at", "id"),
    Index(None, "account_id", "first_seen_at", "id"),
    Index(None, "account_id", "count", "id"),
    sqlite_autoincrement=True,
)
dumps.add_is_dependent_on(signatures)  # which are restored first: dumps are counted in them
partial_index(
    signatures.c.count == 0,
    signatures.c.account_id,
    signatures.c.last_seen_at,
    name="ix_signatures_without_dumps",
)

# an account's own rules for signatures; apart from accounts, whose rows each request reads
signature_rules = Table(
    "signature_rules",
    metadata,
    identity(),
    reference("account_id", "accounts", unique=True),
    Column("rules", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("is_off", Boolean, nullable=False),  # they took too long
    Column("apply_below", BigInteger),  # the dumps that are to get new signatures; NULL: none
    moment("modified_at"),
    sqlite_autoincrement=True,
)

# what an account keeps of a flood of dumps
dump_policies = Table(
    "dump_policies",
    metadata,
    identity(),
    reference("account_id", "accounts", unique=True),
    Column("kept", Integer),  # dumps of a signature and version with their bytes; NULL: all
    Column("retention", Text),  # a JSON object: labels with the seconds of their new dumps
    sqlite_autoincrement=True,
)

# crash reports that an account wants not at all, by an annotation, and how many came
dump_refusals = Table(
    "dump_refusals",
    metadata,
    identity(),
    reference("account_id", "accounts", index=True),
    Column("name", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("is_prefix", Boolean, nullable=False),
    Column("count", BigInteger, nullable=False),
    moment("last_at", nullable=True),
    sqlite_autoincrement=True,
)

# the modules that the stacks of dumps pass through, those that have an id
dump_modules = Table(
    "dump_modules",
    metadata,
    identity(),
    reference("account_id", "accounts"),
    reference("dump_id", "dumps", index=True),
    Column("debug_id", CodePoints, nullable=False),
    Column("debug_file", CodePoints, nullable=False),
    Column("code_id", CodePoints),
    Index(None, "account_id", "id"),
    Index("ix_dump_modules_by_debug_id", "account_id", "debug_id", "dump_id"),
    sqlite_autoincrement=True,
)
