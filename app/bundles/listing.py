"""Lists of bundles: by any part of their names, sorted; bounded as those of files are."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, and_, bindparam, or_, select

from app.accounts.identity import Identity
from app.bundles import rows
from app.bundles.entities import KIND, Bundle, BundleSort, Wanted
from app.bundles.members import Members
from app.bundles.tables import bundles
from app.database import Statement
from app.database.pagination import Page, before_of, cursor_after, page_of
from app.database.search import contains, find_newest
from app.database.sorting import Order, by_end, by_text, newest_of, sorted_ids

_listed = (
    rows.LISTED.where(bundles.c.id < bindparam("before", type_=BigInteger))
    .order_by(bundles.c.id.desc())
    .limit(bindparam("limit"))
)


def newest(*conditions: ColumnElement[bool]) -> Statement:
    """Return the statement for `page_of_newest` of bundles that meet conditions."""
    return Statement(_listed.where(*conditions))


_page = {
    None: newest(),
    True: newest(bundles.c.expires_at.is_not(None)),
    False: newest(bundles.c.expires_at.is_(None)),
}


def page(
    connection: Connection,
    identity: Identity,
    members: Members,
    wanted: Wanted,
    limit: int,
    cursor: str | None,
    now: int,
) -> Page[Bundle]:
    """Return a page of the account's bundles; one of a search that takes too long ends early."""
    own = identity.account_id
    if wanted.sort is not BundleSort.NEWEST:
        some = newest_of(bundles, own)
        listed = select(some).where(_condition(wanted, some.c, now))
        order = _order(wanted.sort, some.c)
        ids, next_cursor = sorted_ids(connection, listed, order, limit, cursor)
        return Page(_of_ids(connection, identity, members, ids, now), next_cursor)
    if wanted.text:
        before = before_of(KIND, cursor)
        condition = _condition(wanted, bundles.c, now)
        found = find_newest(connection, bundles, own, condition, before, limit + 1)
        hits, stopped_at = found.page(limit)
        items = _of_ids(connection, identity, members, hits, now)
        return Page(items, cursor_after(KIND, stopped_at))
    return page_of_newest(_page[wanted.expiring], connection, identity, members, limit, cursor, now)


def page_of_newest(
    statement: Statement,
    connection: Connection,
    identity: Identity,
    members: Members,
    limit: int,
    cursor: str | None,
    now: int,
) -> Page[Bundle]:
    """Return a page of what a statement of `newest` finds, newest first."""
    some = statement(
        connection,
        account_id=identity.account_id,
        before=before_of(KIND, cursor),
        now=now,
        limit=limit + 1,
    ).rows
    counts = members.count(connection, [row.id for row in some], now)
    return page_of(
        KIND, some, limit, lambda row: rows.bundle_of(row, counts), lambda row: int(row.id)
    )


def _order(sort: BundleSort, columns: Any) -> Order:  # noqa: ANN401 - of a subquery
    list_name = f"{KIND} by {sort}"
    if sort is BundleSort.NAME:
        return by_text(list_name, columns.id, columns.name)
    return by_end(list_name, columns.id, columns.expires_at)


def _condition(wanted: Wanted, columns: Any, now: int) -> ColumnElement[bool]:  # noqa: ANN401 - of a table
    ends = columns.expires_at
    conditions = [or_(ends.is_(None), ends > now)]
    if wanted.text:
        conditions.append(contains(columns.name, wanted.text))
    if wanted.expiring is not None:
        conditions.append(ends.is_not(None) if wanted.expiring else ends.is_(None))
    return and_(*conditions)


def _of_ids(
    connection: Connection, identity: Identity, members: Members, ids: Sequence[int], now: int
) -> list[Bundle]:
    """Return bundles in the order of their ids."""
    bound = {"account_id": identity.account_id, "now": now}
    listed: Iterable[Any] = connection.execute(rows.LISTED.where(bundles.c.id.in_(ids)), bound)
    counts = members.count(connection, ids, now)
    found = {row.id: rows.bundle_of(row, counts) for row in listed}
    return [found[id_] for id_ in ids if id_ in found]
