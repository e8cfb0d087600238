"""The table of events: the log of each account."""

from sqlalchemy import BigInteger, Column, Index, String, Table, Text

from app.database.schema import CodePoints, identity, metadata, moment, partial_index, public_id
from app.database.schema import reference as refer_to

events = Table(
    "events",
    metadata,
    identity(),
    public_id(),
    refer_to("account_id", "accounts"),  # whose log it is in
    Column("type", String(32), nullable=False),
    moment("created_at", index=True),
    moment("last_at"),  # of several in one
    Column("count", BigInteger, nullable=False),  # how many; of what strangers can repeat
    Column("address", String(64)),  # that it came from, the last one
    Column("actor", Text, nullable=False),  # JSON: the account, session or key that did it
    Column("subject_kind", String(32)),
    Column("subject_id", String(64)),
    Column("subject_name", Text),
    Column("facts", Text, nullable=False),  # JSON
    Column("merged", CodePoints),  # what is counted in one row, and when; NULL: it has its own
    Index(None, "account_id", "id"),
    Index(None, "account_id", "type", "id"),
    sqlite_autoincrement=True,
)

partial_index(events.c.merged.is_not(None), events.c.merged, unique=True)
