"""Dumps grouped by label or by signature."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, or_, select

from app.accounts.identity import Identity
from app.database.pagination import Page, decode_cursor, page_of
from app.dumps.entities import Group
from app.dumps.tables import dumps
from app.objects.tables import objects as object_rows


def labels(
    connection: Connection, identity: Identity, limit: int, cursor: str | None, now: int
) -> Page[Group]:
    """Return a page of the account's labels, in order."""
    return _groups(connection, identity, dumps.c.label, limit, cursor, now)


def label_names(connection: Connection, identity: Identity, limit: int) -> Sequence[str]:
    """Return the account's first labels, by one look at an index for each."""
    own = select(func.min(dumps.c.label)).where(dumps.c.account_id == identity.account_id)
    first = select(own.scalar_subquery().label("label")).cte("names", recursive=True)
    following = own.where(dumps.c.label > first.c.label).correlate(first).scalar_subquery()
    names = first.union_all(select(following).where(first.c.label.is_not(None)))
    found = select(names.c.label).where(names.c.label.is_not(None)).limit(limit)
    return connection.execute(found).scalars().all()


def signatures(
    connection: Connection, identity: Identity, limit: int, cursor: str | None, now: int
) -> Page[Group]:
    """Return a page of the signatures of the account's dumps, in order."""
    return _groups(connection, identity, dumps.c.signature, limit, cursor, now)


def _groups(
    connection: Connection,
    identity: Identity,
    column: ColumnElement[Any],
    limit: int,
    cursor: str | None,
    now: int,
) -> Page[Group]:
    list_name = f"dumps by {column.key}"
    own = (dumps.c.account_id == identity.account_id) & column.is_not(None)
    alive = or_(dumps.c.expires_at.is_(None), dumps.c.expires_at > now)
    groups = (
        select(
            column,
            func.count(),
            func.sum(object_rows.c.size),
            func.min(dumps.c.created_at),
            func.max(dumps.c.created_at),
        )
        .select_from(dumps.join(object_rows))
        .where(own, alive)
        .group_by(column)
        .order_by(column)
        .limit(limit + 1)
    )
    after = decode_cursor(list_name, cursor, str)
    if after is not None:
        groups = groups.where(column > after)
    rows = connection.execute(groups).all()
    return page_of(list_name, rows, limit, _group, lambda row: str(row[0]))


def _group(row: Any) -> Group:  # noqa: ANN401 - a row of `_groups`
    name, count, size, first, last = row
    return Group(name, count, int(size), first, last)
