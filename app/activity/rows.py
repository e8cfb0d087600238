"""The log of events as rows: plain functions for `Access.read`, and for its trimming."""

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, Table, delete, func, select

from app.accounts.identity import Identity
from app.accounts.tables import accounts
from app.activity.entities import Entry, Filters, Newest
from app.database.pagination import Page, before_of, page_of
from app.errors import NotFound
from app.events.entities import Subject
from app.events.tables import deliveries, events

NEWEST: Final = 200
"""How many entries a listener can catch up with."""

MAX_ENTRIES: Final = 100_000
"""Entries that an account has at most in each of the logs, from one day to the next."""

LOGS: Final = (events, deliveries)

_LIST: Final = "events"
_ENTRIES: Final[Select[Any]] = select(
    events,
    events.c.count.label("number"),
    accounts.c.uuid.label("account"),
    accounts.c.username,
).select_from(events.join(accounts, events.c.account_id == accounts.c.id))


def page(
    connection: Connection, identity: Identity, filters: Filters, limit: int, cursor: str | None
) -> Page[Entry]:
    """Return a page of an account's own log, newest first."""
    own = _ENTRIES.where(events.c.account_id == identity.account_id)
    return _page(connection, own, filters, limit, cursor)


def page_of_all(
    connection: Connection, _: Identity, filters: Filters, limit: int, cursor: str | None
) -> Page[Entry]:
    """Return a page of the logs of all accounts, or of one; for administrators.

    Raises `NotFound` if there is no such account.
    """
    entries = _ENTRIES
    if filters.account is not None:
        named = select(accounts.c.id).where(accounts.c.uuid == filters.account)
        account_id = connection.execute(named).scalar()
        if account_id is None:
            raise NotFound("No such account")
        entries = entries.where(events.c.account_id == account_id)
    return _page(connection, entries, filters, limit, cursor)


def newest(connection: Connection, identity: Identity, _now: int) -> Newest:
    """Return which entries of an account's log are the newest."""
    ids = (
        select(events.c.id)
        .where(events.c.account_id == identity.account_id)
        .order_by(events.c.id.desc())
        .limit(NEWEST)
    )
    found = connection.execute(ids).scalars().all()
    return Newest(str(identity.account_id), tuple(reversed(found)))


def these(connection: Connection, identity: Identity, ids: Sequence[int]) -> Sequence[Entry]:
    """Return entries of an account's log, the oldest first."""
    own = (events.c.account_id == identity.account_id) & events.c.id.in_(ids)
    return [_entry(row) for row in connection.execute(_ENTRIES.where(own).order_by(events.c.id))]


def number_of(connection: Connection, identity: Identity, uuid: str) -> int | None:
    """Return the id of an entry of an account's log; None if it has none."""
    own = (events.c.account_id == identity.account_id) & (events.c.uuid == uuid)
    number: int | None = connection.execute(select(events.c.id).where(own)).scalar()
    return number


def remove_old(connection: Connection, before: int, batch: int) -> int:
    """Remove a batch of entries from before a moment; returns how many."""
    old = (
        select(events.c.id)
        .where(events.c.created_at < before)
        .order_by(events.c.created_at)
        .limit(batch)
        .with_for_update(skip_locked=True)
    )
    return connection.execute(delete(events).where(events.c.id.in_(old))).rowcount


def overfull(connection: Connection, table: Table) -> Sequence[int]:
    """Return the accounts that have more than `MAX_ENTRIES` in one of the `LOGS`."""
    own = table.c.account_id
    full = select(own).group_by(own).having(func.count() > MAX_ENTRIES)
    return connection.execute(full).scalars().all()


def remove_first(connection: Connection, table: Table, account_id: int, batch: int) -> int:
    """Remove a batch of an account's oldest entries beyond `MAX_ENTRIES`; returns how many."""
    own, id_ = table.c.account_id == account_id, table.c.id
    kept = (
        select(id_).where(own).order_by(id_.desc()).offset(MAX_ENTRIES).limit(1).scalar_subquery()
    )
    surplus = select(id_).where(own, id_ <= kept).order_by(id_).limit(batch)
    return connection.execute(delete(table).where(id_.in_(surplus))).rowcount


def _page(
    connection: Connection,
    entries: Select[Any],
    filters: Filters,
    limit: int,
    cursor: str | None,
) -> Page[Entry]:
    entries = entries.where(events.c.id < before_of(_LIST, cursor))
    if filters.types:
        entries = entries.where(events.c.type.in_([kind.value for kind in filters.types]))
    rows = connection.execute(entries.order_by(events.c.id.desc()).limit(limit + 1)).all()
    return page_of(_LIST, rows, limit, _entry, lambda row: int(row.id))


def _entry(row: Row[Any]) -> Entry:
    subject = row.subject_kind and Subject(row.subject_kind, row.subject_id, row.subject_name)
    return Entry(
        uuid=row.uuid,
        type=row.type,
        account=row.account,
        username=row.username,
        created_at=row.created_at,
        last_at=row.last_at,
        count=row.number,
        address=row.address,
        actor=json.loads(row.actor),
        subject=subject or None,
        facts=json.loads(row.facts),
    )
