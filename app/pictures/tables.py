"""Tables of pictures and their thumbnails."""

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    true,
)
from sqlalchemy import UniqueConstraint as Unique

from app.database.schema import Id, identity, metadata, moment, partial_index, public_id, reference

pictures = Table(
    "pictures",
    metadata,
    identity(),
    public_id(),
    reference("account_id", "accounts"),
    reference("object_id", "objects", unique=True),
    Column("name", Text, nullable=False),
    Column("format", String(8), nullable=False),  # jpeg, png, webp, gif, avif, heic
    Column("width", Integer, nullable=False),  # pixels as shown, after EXIF orientation
    Column("height", Integer, nullable=False),
    Column(
        "is_complete", Boolean, nullable=False, server_default=true()
    ),  # false: cut off or damaged
    Column("thumbhash", LargeBinary(32)),  # NULL: not made yet; empty: it can't be
    Column("exif", Text),  # JSON; NULL: not read yet, or nothing is known
    Column("bare", Text),  # parts of its file as `app.objects.excerpts` has them; NULL: not known
    moment("created_at"),
    moment("modified_at"),
    Index(None, "account_id", "id"),
    sqlite_autoincrement=True,
)

partial_index(pictures.c.bare.is_(None), pictures.c.id, name="ix_pictures_to_be_examined")

thumbnails = Table(
    "thumbnails",
    metadata,
    identity(),
    reference("account_id", "accounts", index=True),
    reference("picture_id", "pictures"),
    Column("height", Integer, nullable=False),  # pixels, as requested
    Column("format", String(8), nullable=False),  # jpeg, webp
    # the row is the lock: the process that inserts it makes the thumbnail, under a lease
    Column("object_id", Id, ForeignKey("objects.id"), unique=True),  # NULL: being made, or failed
    moment("lease_until", nullable=True),  # before that nobody else tries to make it
    Column("failure", Text),  # why it could not be made
    moment("created_at"),
    Unique("picture_id", "height", "format"),
    sqlite_autoincrement=True,
)
