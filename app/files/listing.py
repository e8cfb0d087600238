"""Lists of files: by any part of their names, sorted, and several at once for an archive.

The newest are paged by an index, all else within the newest `SORTED` files of the account: a search
of the newest goes on below these, on its next page; other orders are of these alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    or_,
    select,
)

from app.accounts.identity import Identity
from app.archives.archive import Entry
from app.bundles import archiving
from app.bundles.members import Members
from app.database.pagination import Page, before_of, cursor_after
from app.database.search import contains, find_newest
from app.database.sorting import Order, by_end, by_text, newest_of, sorted_ids
from app.files import rows
from app.files.entities import KIND, File, FileSort, Wanted
from app.files.tables import files
from app.objects.reading import contents
from app.objects.tables import objects as object_rows

_stored = select(
    files.c.uuid, files.c.name, *contents.content_columns(with_data=False)
).select_from(files.join(object_rows))


def page(
    connection: Connection,
    identity: Identity,
    wanted: Wanted,
    limit: int,
    cursor: str | None,
    now: int,
) -> Page[File]:
    """Return a page of the account's files."""
    if wanted.sort is not FileSort.NEWEST:
        return _sorted_page(connection, identity, wanted, limit, cursor, now)
    if not wanted.text:
        return rows.page(connection, identity, limit, cursor, now, expiring=wanted.expiring)
    condition = _condition(wanted, files.c, now)
    before = before_of(KIND, cursor)
    found = find_newest(connection, files, identity.account_id, condition, before, limit + 1)
    ids, stopped_at = found.page(limit)
    return Page(_of_ids(connection, identity, ids, now), cursor_after(KIND, stopped_at))


def entries(
    connection: Connection,
    identity: Identity,
    members: Members,
    uuids: Sequence[str],
    bundles: Sequence[str],
    now: int,
) -> list[Entry]:
    """Return files, and then bundles as folders, as entries of an archive, in this order.

    Raises `NotFound` if one is gone, and what `archiving.entries` does.
    """
    wanted = _stored.where(
        files.c.account_id == identity.account_id, _is_alive(files.c, now), files.c.uuid.in_(uuids)
    )
    found: dict[str, Entry] = {}
    for uuid, name, *content in connection.execute(wanted):
        found[uuid] = Entry(name, contents.content_of(content))
    if len(found) < len(set(uuids)):
        raise rows.unknown()
    inside = archiving.entries(connection, identity, members, bundles, now)
    return [found[uuid] for uuid in dict.fromkeys(uuids)] + inside


def _sorted_page(
    connection: Connection,
    identity: Identity,
    wanted: Wanted,
    limit: int,
    cursor: str | None,
    now: int,
) -> Page[File]:
    newest = newest_of(files, identity.account_id)
    listed = (
        select(newest)
        .select_from(newest.join(object_rows, object_rows.c.id == newest.c.object_id))
        .where(_condition(wanted, newest.c, now))
    )
    order = _order(wanted.sort, newest.c)
    ids, next_cursor = sorted_ids(connection, listed, order, limit, cursor)
    return Page(_of_ids(connection, identity, ids, now), next_cursor)


def _order(sort: FileSort, columns: Any) -> Order:  # noqa: ANN401 - of a subquery
    list_name = f"{KIND} by {sort}"
    if sort is FileSort.NAME:
        return by_text(list_name, columns.id, columns.name)
    if sort is FileSort.SIZE:
        return Order(list_name, columns.id, object_rows.c.size, descends=True)
    return by_end(list_name, columns.id, columns.expires_at)


def _condition(wanted: Wanted, columns: Any, now: int) -> ColumnElement[bool]:  # noqa: ANN401 - of a table
    conditions = [_is_alive(columns, now)]
    if wanted.text:
        conditions.append(contains(columns.name, wanted.text))
    if wanted.expiring is not None:
        kept = columns.expires_at.is_(None)
        conditions.append(~kept if wanted.expiring else kept)
    return and_(*conditions)


def _is_alive(columns: Any, now: int) -> ColumnElement[bool]:  # noqa: ANN401 - of a table
    return or_(columns.expires_at.is_(None), columns.expires_at > now)


def _of_ids(connection: Connection, identity: Identity, ids: Sequence[int], now: int) -> list[File]:
    """Return files in the order of their ids."""
    bound: Mapping[str, int] = {"account_id": identity.account_id, "now": now}
    listed: Iterable[Any] = connection.execute(rows.LISTED.where(files.c.id.in_(ids)), bound)
    found = {row.id: rows.file_of(row) for row in listed}
    return [found[id_] for id_ in ids if id_ in found]
