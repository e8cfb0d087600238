"""The tables of objects, their small bytes and segments, what is to be deleted, and when not."""

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, String, Table

from app.database.schema import CodePoints, Id, identity, metadata, moment, partial_index, reference

objects = Table(
    "objects",
    metadata,
    identity(),
    reference("account_id", "accounts", index=True),
    Column("kind", String(16), nullable=False),
    # in the store; NULL: the bytes are in object_bytes or in segments. Of a pending object with
    # segments, the key of the one that is being written
    Column("key", CodePoints),
    Column("state", String(8), nullable=False),  # pending, ready
    Column("size", BigInteger, nullable=False),
    Column("sha256", LargeBinary(32)),  # NULL while pending
    Column("crc32", BigInteger),  # of the same bytes; NULL: not computed yet
    Column("encoding", String(255)),  # the content coding of the bytes; NULL: none
    # what its account was charged, given back on deletion
    Column("charged_bytes", BigInteger, nullable=False),
    Column("charged_slots", BigInteger, nullable=False),
    moment("created_at"),
    # of a pending one: when its upload counts as dead; NULL: a resumable upload owns it
    moment("lease_until", nullable=True),
    Column("inbox_id", BigInteger),  # of one that a stranger sends: a claim while it is pending
    sqlite_autoincrement=True,
)

# partial: most objects are small and ready
for column, unique in ((objects.c.key, True), (objects.c.lease_until, False)):
    present = column.is_not(None)
    partial_index(present, column, unique=unique)

object_bytes = Table(
    "object_bytes",
    metadata,
    Column("object_id", Id, ForeignKey("objects.id"), primary_key=True, autoincrement=False),
    Column("data", LargeBinary, nullable=False),
)

# of objects that have more than one, and of those that are still being appended to
object_segments = Table(
    "object_segments",
    metadata,
    Column("object_id", Id, ForeignKey("objects.id"), primary_key=True, autoincrement=False),
    Column("n", Integer, primary_key=True, autoincrement=False),  # their order, with gaps
    Column("key", CodePoints, nullable=False, unique=True),
    Column("size", BigInteger, nullable=False),
    Column("sha256", LargeBinary(32), nullable=False),
)

tombstones = Table(
    "tombstones",
    metadata,
    identity(),
    Column("key", CodePoints, nullable=False, unique=True),
    moment("due_at", index=True),  # not to be deleted before
    Column(
        "claimed_until", BigInteger, nullable=False
    ),  # until when a sweep has claimed it; 0: none
    moment("put_at"),  # when the put of its bytes had ended at the latest
    sqlite_autoincrement=True,
)

# no bytes are deleted while one of them lives
holds = Table(
    "holds",
    metadata,
    identity(),
    moment("expires_at"),
    # for how long after they are due it keeps bytes, in microseconds; NULL: as long as it lives
    Column("keeps_for", BigInteger),
    sqlite_autoincrement=True,
)
