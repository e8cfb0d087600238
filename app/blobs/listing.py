"""Lists of blobs: by the beginning of their ids, sorted, and several at once for an archive."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import Connection, and_, bindparam, select

from app.accounts.identity import Identity
from app.archives.archive import Entry
from app.blobs import rows
from app.blobs.entities import KIND, MAX_ID_LENGTH, Blob, BlobSort
from app.blobs.tables import blobs
from app.database import Statement
from app.database.pagination import Page, before_of, cursor_after, decode_cursor, page_of
from app.database.search import find_newest
from app.database.sorting import Order, newest_of, sorted_ids
from app.errors import NotFound
from app.objects.reading import contents
from app.objects.tables import objects as object_rows

_BY_ID: Final = "blobs by id"
_own = blobs.c.account_id == bindparam("account_id")
_newest = Statement(
    rows.LISTED.where(_own, blobs.c.id < bindparam("before"))
    .order_by(blobs.c.id.desc())
    .limit(bindparam("limit"))
)
_by_id = Statement(
    rows.LISTED.where(
        _own,
        blobs.c.name >= bindparam("start"),
        blobs.c.name > bindparam("after"),
        blobs.c.name < bindparam("stop"),
    )
    .order_by(blobs.c.name)
    .limit(bindparam("limit"))
)


def page(
    connection: Connection,
    identity: Identity,
    prefix: str,
    sort: BlobSort,
    limit: int,
    cursor: str | None,
) -> Page[Blob]:
    """Return a page of the blobs whose ids start with ``prefix``.

    Any order but that of the ids is, with a prefix, of the newest alone, as lists of files are.
    """
    if sort is BlobSort.ID:
        return _page_by_id(connection, identity, prefix, limit, cursor)
    if sort is BlobSort.SIZE:
        return _page_by_size(connection, identity, prefix, limit, cursor)
    own, before = identity.account_id, before_of(KIND, cursor)
    if not prefix:
        found = _newest(connection, account_id=own, before=before, limit=limit + 1).rows
        return page_of(KIND, found, limit, rows.blob_of, lambda row: int(row.id))
    begins = and_(blobs.c.name >= prefix, blobs.c.name < _after_prefix(prefix))
    ids, stopped_at = find_newest(connection, blobs, own, begins, before, limit + 1).page(limit)
    return Page(_of_ids(connection, ids), cursor_after(KIND, stopped_at))


def entries(connection: Connection, identity: Identity, names: Sequence[str]) -> list[Entry]:
    """Return blobs as entries of an archive, in this order; raises `NotFound` if one is gone."""
    wanted = (
        select(blobs.c.name, *contents.content_columns(with_data=False))
        .select_from(blobs.join(object_rows))
        .where(blobs.c.account_id == identity.account_id, blobs.c.name.in_(names))
    )
    found = {
        name: Entry(name, contents.content_of(content))
        for name, *content in connection.execute(wanted)
    }
    if missing := next((name for name in names if name not in found), None):
        raise NotFound(f"There is no blob {missing!r}")
    return [found[name] for name in dict.fromkeys(names)]


def _page_by_id(
    connection: Connection, identity: Identity, prefix: str, limit: int, cursor: str | None
) -> Page[Blob]:
    after = decode_cursor(_BY_ID, cursor, str)
    found = _by_id(
        connection,
        account_id=identity.account_id,
        start=prefix,
        after="" if after is None else after,
        stop=_after_prefix(prefix),
        limit=limit + 1,
    ).rows
    return page_of(_BY_ID, found, limit, rows.blob_of, lambda row: str(row.name))


def _page_by_size(
    connection: Connection, identity: Identity, prefix: str, limit: int, cursor: str | None
) -> Page[Blob]:
    newest = newest_of(blobs, identity.account_id)
    listed = (
        select(newest)
        .select_from(newest.join(object_rows, object_rows.c.id == newest.c.object_id))
        .where(newest.c.name >= prefix, newest.c.name < _after_prefix(prefix))
    )
    order = Order(f"{KIND} by size", newest.c.id, object_rows.c.size, descends=True)
    ids, next_cursor = sorted_ids(connection, listed, order, limit, cursor)
    return Page(_of_ids(connection, ids), next_cursor)


def _after_prefix(prefix: str) -> str:
    """Return the upper bound of the ids with a prefix: no other id sorts between them and it."""
    return prefix + "\U0010ffff" * (MAX_ID_LENGTH + 1 - len(prefix))


def _of_ids(connection: Connection, ids: Sequence[int]) -> list[Blob]:
    """Return blobs in the order of their ids."""
    listed: Iterable[Any] = connection.execute(rows.LISTED.where(blobs.c.id.in_(ids)))
    found = {row.id: rows.blob_of(row) for row in listed}
    return [found[id_] for id_ in ids if id_ in found]
