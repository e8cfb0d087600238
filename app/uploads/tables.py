"""The table of uploads."""

from sqlalchemy import BigInteger, Column, ForeignKey, LargeBinary, String, Table, Text

from app.database.schema import Id, identity, metadata, moment, public_id, reference

uploads = Table(
    "uploads",
    metadata,
    identity(),
    public_id(),
    reference("account_id", "accounts", index=True),
    # unfinished; NULL once it belongs to what has been made
    Column("object_id", Id, ForeignKey("objects.id"), unique=True),
    Column("kind", String(16), nullable=False),  # file, blob, dump, picture, buffer, inbox
    Column("fields", Text, nullable=False),  # a JSON object: what is to be made
    Column("length", BigInteger),  # NULL: not known yet
    Column("metadata", Text, nullable=False),  # as its client sent it
    Column("terms", Text),  # a JSON object: what else its client has said of it; NULL: nothing
    Column("made", Text),  # the id of what has been made; NULL: unfinished
    Column("inbox_id", BigInteger),  # of a stranger's: the inbox that it is for
    Column("client", LargeBinary(32)),  # tells apart the strangers who send to one inbox
    moment("created_at"),
    moment("expires_at", index=True),
    sqlite_autoincrement=True,
)
