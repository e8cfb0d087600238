"""Eviction of files that expire: one more than `MAX_FILES` makes those that expire first go."""

from typing import Any

from sqlalchemy import BigInteger, Connection, bindparam, delete, func, select

from app.accounts.identity import Identity
from app.database import Statement
from app.errors import TooManyFiles
from app.files.entities import ANY, NONE, Evicted
from app.files.tables import files
from app.links import rows as links
from app.objects import removal

_own = files.c.account_id == bindparam("account_id")
_now = bindparam("now", type_=BigInteger)
_expiring = _own & (files.c.expires_at > _now) & (files.c.id != bindparam("spared"))
_count_expiring = Statement(select(func.count()).where(_expiring).select_from(files))
_first_to_expire = Statement(
    select(files.c.id, files.c.object_id, files.c.uuid, files.c.name)
    .where(_expiring)
    .order_by(files.c.expires_at, files.c.id)
    .limit(bindparam("limit"))
)
_find_expiring = Statement(
    select(files.c.id, files.c.object_id).where(_expiring, files.c.uuid == bindparam("uuid"))
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
    connection: Connection, account_id: int, max_files: int, now: int, evict: str = ANY
) -> int:
    """Evict files for one more that expires; returns how many.

    ``evict`` is `ANY` for those that expire first, if there are too many, or the uuid of one that
    goes in any case. Raises `TooManyFiles` if that isn't enough.
    """
    if evict == ANY:
        return evict_first(connection, account_id, max_files - 1, now)
    agreed = _find_expiring(
        connection, account_id=account_id, spared=0, uuid=evict, now=now
    ).first()
    if agreed is not None:
        remove(connection, agreed, now)
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
    row = _first_to_expire(connection, account_id=account_id, spared=0, now=now, limit=1).first()
    return None if row is None else Evicted(row.uuid, row.name)


def _count(connection: Connection, account_id: int, now: int) -> int:
    of_account = {"account_id": account_id, "spared": 0, "now": now}
    return int(_count_expiring(connection, **of_account).scalar_one())


def evict_first(
    connection: Connection, account_id: int, most: int, now: int, *, spared: int = 0
) -> int:
    """Remove the files that expire first, at equal times the oldest, until ``most`` are left."""
    of_account: dict[str, Any] = {"account_id": account_id, "spared": spared, "now": now}
    too_many = _count_expiring(connection, **of_account).scalar_one() - most
    if too_many <= 0:
        return 0
    for row in _first_to_expire(connection, **of_account, limit=too_many).rows:
        remove(connection, row, now)
    return int(too_many)


def remove_downloaded(connection: Connection, file_id: int, now: int) -> None:
    """Delete a file whose last download has ended, if it is still there."""
    row = _find(connection, file_id=file_id).first()
    if row is not None:
        remove(connection, row, now)


def remove(connection: Connection, row: Any, now: int) -> None:  # noqa: ANN401 - a row of files
    """Delete a file, whose bytes are due at once, and end its links; ``row`` has its ids."""
    links.end(connection, "file", [row.id], now)
    _delete(connection, file_id=row.id)
    removal.remove(connection, row.object_id, due_at=now)
