"""The tables of bundles and of their members."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Table,
    Text,
)
from sqlalchemy import UniqueConstraint as Unique

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

bundles = Table(
    "bundles",
    metadata,
    identity(),
    public_id(),
    reference("account_id", "accounts"),
    Column("name", Text, nullable=False),
    Column("is_open", Boolean, nullable=False),  # more may be added
    moment("created_at"),
    moment("modified_at"),
    moment("expires_at", nullable=True),  # NULL: kept
    Column("inbox_id", BigInteger),  # the id of the inbox that it came by, never reused
    Column("delivery", LargeBinary(32)),  # tells uploads to one inbox that belong together
    Index(None, "account_id", "id"),
    sqlite_autoincrement=True,
)

expires = bundles.c.expires_at.is_not(None)
# for expiry, and for eviction within an account: what expires first goes first
partial_index(expires, bundles.c.expires_at)
partial_index(expires, bundles.c.account_id, bundles.c.expires_at, bundles.c.id)

received = bundles.c.inbox_id.is_not(None)
partial_index(received, bundles.c.inbox_id, bundles.c.created_at)

bundle_members = Table(
    "bundle_members",
    metadata,
    identity(),
    public_id(),
    reference("account_id", "accounts", index=True),
    reference("bundle_id", "bundles"),
    Column("kind", String(8), nullable=False),  # file, picture, dump, blob
    Column("object_id", Id, ForeignKey("objects.id"), unique=True),  # NULL: it points to a thing
    Column("target_id", BigInteger),  # the integer id of that thing; NULL: the bundle owns it
    Column("name", CodePoints, nullable=False),
    Column("content_type", String(255)),  # NULL: as the thing's
    moment("created_at"),
    Unique("bundle_id", "name"),
    Index(None, "bundle_id", "id"),
    sqlite_autoincrement=True,
)

points = bundle_members.c.target_id.is_not(None)
partial_index(points, bundle_members.c.kind, bundle_members.c.target_id)
