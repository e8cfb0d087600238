"""Dumps grouped by label."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, func, or_, select, true

from app.accounts.identity import Identity
from app.database.pagination import Page, decode_cursor, page_of
from app.dumps.counts import Expired, expired
from app.dumps.entities import Group
from app.dumps.tables import dump_counts, dumps

_LABELS: Final = "dumps by label"


def label_names(connection: Connection, identity: Identity, limit: int) -> Sequence[str]:
    """Return the account's first labels, by one look at an index for each."""
    own = select(func.min(dumps.c.label)).where(dumps.c.account_id == identity.account_id)
    first = select(own.scalar_subquery().label("label")).cte("names", recursive=True)
    following = own.where(dumps.c.label > first.c.label).correlate(first).scalar_subquery()
    names = first.union_all(select(following).where(first.c.label.is_not(None)))
    found = select(names.c.label).where(names.c.label.is_not(None)).limit(limit)
    return connection.execute(found).scalars().all()


def labels(
    connection: Connection, identity: Identity, limit: int, cursor: str | None, now: int
) -> Page[Group]:
    """Return a page of the account's labels, in order."""
    after = decode_cursor(_LABELS, cursor, str)
    counted = (
        select(
            dump_counts.c.name,
            func.sum(dump_counts.c.count).label("count"),
            func.sum(dump_counts.c.size).label("size"),
        )
        .where(
            dump_counts.c.account_id == identity.account_id,
            dump_counts.c.facet == "label",
            dump_counts.c.name > after if after is not None else true(),
        )
        .group_by(dump_counts.c.name)
        .order_by(dump_counts.c.name)
        .limit(limit + 1)
        .subquery()
    )
    alive = (
        select(dumps.c.created_at)
        .where(
            dumps.c.account_id == identity.account_id,
            dumps.c.label == counted.c.name,
            or_(dumps.c.expires_at.is_(None), dumps.c.expires_at > now),
        )
        .limit(1)
        .correlate(counted)
    )
    first = alive.order_by(dumps.c.id).scalar_subquery()
    last = alive.order_by(dumps.c.id.desc()).scalar_subquery()
    rows = connection.execute(select(counted, first, last).order_by(counted.c.name)).all()
    gone: dict[str | None, list[Expired]] = {}
    for dump in expired(connection, identity, now):
        gone.setdefault(dump.label, []).append(dump)

    def group(row: Any) -> Group:  # noqa: ANN401 - a row
        name, count, size, first_seen, last_seen = row
        less = gone.get(name, [])
        size = int(size) - sum(dump.size for dump in less)
        return Group(name, int(count) - len(less), size, first_seen, last_seen)

    page = page_of(_LABELS, rows, limit, group, lambda row: str(row[0]))
    return replace(page, items=[one for one in page.items if one.count])
