"""Eviction of what expires: one more than `MAX_FILES` makes those that expire first go.

Files count, and bundles: each as one, and it goes whole.
"""

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Connection,
    Select,
    Table,
    bindparam,
    cast,
    delete,
    func,
    literal,
    null,
    select,
    union_all,
)

from app.accounts.identity import Identity
from app.bundles import removal as bundles
from app.bundles.tables import bundles as bundle_rows
from app.database import Statement
from app.errors import TooManyFiles
from app.files.entities import ANY, NONE, Evicted
from app.files.tables import files
from app.links import rows as links
from app.objects import removal

_BUNDLE: Final = "bundle"

_now = bindparam("now", type_=BigInteger)


def _expiring(table: Table, kind: str) -> Select[Any]:
    return select(
        literal(kind).label("kind"),
        table.c.id,
        table.c.get("object_id", cast(null(), BigInteger).label("object_id")),
        table.c.uuid,
        table.c.name,
        table.c.created_at,
        table.c.expires_at,
    ).where(
        table.c.account_id == bindparam("account_id"),
        table.c.expires_at > _now,
        table.c.uuid != bindparam("spared"),
    )


_of_each = (_expiring(files, "file"), _expiring(bundle_rows, _BUNDLE))
_all = union_all(*_of_each).subquery()
_count_expiring = Statement(select(func.count()).select_from(_all))
_find_expiring = Statement(select(_all).where(_all.c.uuid == bindparam("uuid")))
# the first of each come by an index, and then the first of these
_firsts = union_all(
    *(
        select(some.order_by("expires_at", "id").limit(bindparam("limit")).subquery())
        for some in _of_each
    )
).subquery()
_first_to_expire = Statement(
    select(_firsts)
    .order_by(_firsts.c.expires_at, _firsts.c.created_at, _firsts.c.id)
    .limit(bindparam("limit"))
)
_find = Statement(select(files.c.id, files.c.object_id).where(files.c.id == bindparam("file_id")))
_delete = Statement(delete(files).where(files.c.id == bindparam("file_id")))


def admit(
    connection: Connection, identity: Identity, max_files: int, now: int, evict: str = ANY
) -> int:
    """Say how many slots a file will take that may ``evict`` others; raises `TooManyFiles`."""
    if evict not in {ANY, NONE}:
        return 0  # it takes over the slot of that one
    if _count(connection, identity.account_id, now) < max_files:
        return 1
    if evict == NONE:
        raise TooManyFiles(max_files)
    return 0


def evict_for_one_more(
    connection: Connection,
    account_id: int,
    max_files: int,
    now: int,
    evict: str = ANY,
    spared: str = "",
) -> int:
    """Evict what expires for one more that does; returns how many.

    ``evict`` is `ANY` for those that expire first, if there are too many, or the uuid of one that
    goes in any case; ``spared`` is that of one that is to stay. Raises `TooManyFiles` if that
    isn't enough.
    """
    if evict == ANY:
        return evict_first(connection, account_id, max_files - 1, now, spared=spared)
    agreed = _find_expiring(
        connection, account_id=account_id, spared="", uuid=evict, now=now
    ).first()
    if agreed is not None:
        _remove(connection, agreed, now)
    if _count(connection, account_id, now) >= max_files:
        raise TooManyFiles(max_files)
    return 0 if agreed is None else 1


def next_evicted(
    connection: Connection, identity: Identity, max_files: int, now: int
) -> Evicted | None:
    """Return the file that one more would evict; None if there is room for it."""
    account_id = identity.account_id
    if _count(connection, account_id, now) < max_files:
        return None
    row = _first_to_expire(connection, account_id=account_id, spared="", now=now, limit=1).first()
    return None if row is None else Evicted(row.uuid, row.name)


def _count(connection: Connection, account_id: int, now: int) -> int:
    of_account = {"account_id": account_id, "spared": "", "now": now}
    return int(_count_expiring(connection, **of_account).scalar_one())


def evict_first(
    connection: Connection, account_id: int, most: int, now: int, *, spared: str = ""
) -> int:
    """Remove the files that expire first, at equal times the oldest, until ``most`` are left."""
    of_account: dict[str, Any] = {"account_id": account_id, "spared": spared, "now": now}
    too_many = _count_expiring(connection, **of_account).scalar_one() - most
    if too_many <= 0:
        return 0
    for row in _first_to_expire(connection, **of_account, limit=too_many).rows:
        _remove(connection, row, now)
    return int(too_many)


def remove_downloaded(connection: Connection, file_id: int, now: int) -> None:
    """Delete a file whose last download has ended, if it is still there."""
    row = _find(connection, file_id=file_id).first()
    if row is not None:
        remove(connection, row, now)


def remove(connection: Connection, row: Any, now: int) -> None:  # noqa: ANN401 - a row of files
    """Delete a file, whose bytes are due at once, and end its links; ``row`` has its ids."""
    links.end(connection, "file", [row.id], now)
    bundles.forget(connection, "file", [row.id])
    _delete(connection, file_id=row.id)
    removal.remove(connection, row.object_id, due_at=now)


def _remove(connection: Connection, row: Any, now: int) -> None:  # noqa: ANN401 - what expires
    if row.kind == _BUNDLE:
        bundles.remove(connection, row.id, now)
    else:
        remove(connection, row, now)
