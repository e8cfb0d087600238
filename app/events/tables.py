"""The tables of events: the log of each account, and what webhooks are told of it."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text
from sqlalchemy import UniqueConstraint as Unique

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

webhooks = Table(
    "webhooks",
    metadata,
    identity(),
    public_id(),
    refer_to("account_id", "accounts"),
    Column("url", Text, nullable=False),  # it may hold a secret
    Column("types", Text, nullable=False),  # "*", or " file.received picture.added "
    Column("format", String(16), nullable=False),  # standard, slack
    Column("description", Text),
    Column("is_active", Boolean, nullable=False),
    Column("paused_for", String(16)),  # why the service paused it
    Column("rotation", Integer, nullable=False),  # number of the secret, which isn't kept
    moment("rotated_at", nullable=True),
    moment("created_at"),
    moment("succeeded_at", nullable=True),  # the last time
    moment("failing_since", nullable=True),  # the first failure after that
    Column("failures", Integer, nullable=False),  # since then
    Index(None, "account_id", "id"),
    sqlite_autoincrement=True,
)

# what is sent is kept here: the event may be trimmed sooner
deliveries = Table(
    "deliveries",
    metadata,
    identity(),
    refer_to("account_id", "accounts", index=True),
    refer_to("webhook_id", "webhooks"),
    Column("event", String(36), nullable=False),  # its uuid
    Column("type", String(32), nullable=False),
    Column("data", Text, nullable=False),  # JSON: subject, actor, facts
    moment("created_at"),  # of the event
    moment("expires_at", index=True),
    Column("state", String(16), nullable=False),  # waiting, delivered, failed
    moment("due_at", nullable=True),  # or until when a process has claimed it; NULL: it isn't
    Column("attempts", Integer, nullable=False),
    Column("outcomes", Text, nullable=False),  # JSON: how the last attempts ended
    Unique("webhook_id", "event"),
    Index(None, "webhook_id", "id"),
    sqlite_autoincrement=True,
)

partial_index(deliveries.c.due_at.is_not(None), deliveries.c.due_at)
