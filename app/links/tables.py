"""The tables of timelinks, of their leases, and of the inboxes that links of a kind lead to."""

from sqlalchemy import BigInteger, Boolean, Column, Index, LargeBinary, String, Table, Text, false

from app.database.schema import identity, metadata, moment, partial_index, public_id, reference

timelinks = Table(
    "timelinks",
    metadata,
    identity(),
    public_id(),
    reference("account_id", "accounts"),
    Column("kind", String(8), nullable=False),  # that of its target, or inbox
    Column("target_id", BigInteger, nullable=False),  # the resource's integer id, never reused
    Column("token_hash", LargeBinary(32), nullable=False, unique=True),  # SHA-256
    Column("seconds", BigInteger),  # the time that was asked for; NULL: as long as its file
    Column("max_downloads", BigInteger),  # NULL: no limit
    Column("downloads", BigInteger, nullable=False),  # those that have begun
    Column("password_hash", Text),
    Column("is_own", Boolean, nullable=False),  # a file's own link, which follows its expiry
    moment("created_at"),
    moment("expires_at", nullable=True, index=True),
    moment("revoked_at", nullable=True),
    Column("note", Text),  # to whoever opens it
    moment("removal_at", nullable=True),  # when its target goes with the last download
    Column("originals", Boolean, nullable=False, server_default=false()),  # with all in their files
    Index(None, "account_id", "id"),
    Index(None, "kind", "target_id"),
    sqlite_autoincrement=True,
)

timelink_leases = Table(
    "timelink_leases",
    metadata,
    identity(),
    reference("account_id", "accounts", index=True),
    reference("timelink_id", "timelinks"),
    Column("hash", LargeBinary(32), nullable=False, unique=True),  # SHA-256
    moment("created_at"),
    moment("expires_at", nullable=True, index=True),  # NULL: its download has begun
    moment("seen_at", nullable=True),  # when the last of its responses began or ended
    Column("spans", Text),  # what they have brought, see `app.links.spans`
    moment("completed_at", nullable=True),  # when that was all
    Index(None, "timelink_id", "expires_at"),
    sqlite_autoincrement=True,
)

_has_moment = timelinks.c.removal_at.is_not(None)
partial_index(_has_moment, timelinks.c.removal_at, name="ix_timelinks_removal_at")

# what a link by which others give has beside the link itself
inboxes = Table(
    "inboxes",
    metadata,
    identity(),
    public_id(),
    reference("account_id", "accounts"),
    Column("title", Text, nullable=False),
    Column("message", Text),  # to whoever opens it
    Column("max_files", BigInteger),  # NULL: no limit but the account's
    Column("max_bytes", BigInteger),
    Column("files", BigInteger, nullable=False),  # that have come, still there or not
    Column("bytes", BigInteger, nullable=False),
    Column("unseen", BigInteger, nullable=False),  # of the files: since its owner last looked
    moment("created_at"),
    Index(None, "account_id", "id"),
    sqlite_autoincrement=True,
)
