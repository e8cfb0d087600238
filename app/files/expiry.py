"""When files go: expired in batches, evicted by one more than may expire, or deleted."""

from typing import Any, Final

from sqlalchemy import BigInteger, Connection, bindparam, delete, func, select

from app.accounts.identity import Identity
from app.database import Statement
from app.errors import TooManyFiles
from app.files.tables import files
from app.links import rows as links
from app.objects import lifecycle as objects
from app.objects import quota

ANY: Final = "any"
NONE: Final = "none"
"""What may be evicted for one more file: those that expire first, or nothing."""

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
_delete = Statement(delete(files).where(files.c.id == bindparam("file_id")))


def admit(
    connection: Connection, identity: Identity, max_files: int, now: int, evict: str = ANY
) -> int:
    """Say how many slots a file will take that may ``evict`` others; raises `TooManyFiles`."""
    if evict not in {ANY, NONE}:
        return 0  # that one gives its own
    if _count(connection, identity.account_id, now) < max_files:
        return 1
    if evict == NONE:
        raise TooManyFiles(max_files)
    return 0


def make_room(
    connection: Connection, account_id: int, max_files: int, now: int, evict: str = ANY
) -> int:
    """Evict files for one more that expires; returns how many.

    ``evict`` says which: `ANY` means those that expire first, if there are too many; the id of one
    means that one, in any case. Raises `TooManyFiles` when that leaves no room.
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


def first_to_go(connection: Connection, account_id: int, max_files: int, now: int) -> Any:  # noqa: ANN401 - a row
    """Return id and name of the file that one more would evict; None while there is room."""
    if _count(connection, account_id, now) < max_files:
        return None
    first = _first_to_expire(connection, account_id=account_id, spared=0, now=now, limit=1)
    return first.first()


def _count(connection: Connection, account_id: int, now: int) -> int:
    of_account = {"account_id": account_id, "spared": 0, "now": now}
    return int(_count_expiring(connection, **of_account).scalar_one())


def evict_first(
    connection: Connection, account_id: int, room: int, now: int, *, spared: int = 0
) -> int:
    """Remove the files that expire first, at equal times the oldest, beyond ``room`` of them."""
    of_account: dict[str, Any] = {"account_id": account_id, "spared": spared, "now": now}
    too_many = _count_expiring(connection, **of_account).scalar_one() - room
    if too_many <= 0:
        return 0
    for row in _first_to_expire(connection, **of_account, limit=too_many).rows:
        remove(connection, row, now)
    return int(too_many)


def remove(connection: Connection, row: Any, now: int) -> None:  # noqa: ANN401 - a row of files
    """Delete a file, given by the row of its ids, and end its links; its bytes are due at once."""
    links.end(connection, "file", [row.id], now)
    _delete(connection, file_id=row.id)
    objects.remove(connection, row.object_id, due_at=now)


def remove_expired(connection: Connection, now: int, batch: int) -> int:
    """Remove a batch of one account's expired files; their links have ended by themselves."""
    expired = files.c.expires_at <= now
    account = connection.execute(
        select(files.c.account_id).where(expired).order_by(files.c.expires_at).limit(1)
    ).scalar()
    if account is None:
        return 0
    quota.lock_account(connection, account)
    rows = connection.execute(
        select(files.c.id, files.c.object_id)
        .where(expired, files.c.account_id == account)
        .limit(batch)
    ).all()
    connection.execute(delete(files).where(files.c.id.in_([row.id for row in rows])))
    objects.remove_all(connection, [row.object_id for row in rows], due_at=now)
    return len(rows)


def next_expiry(connection: Connection) -> int | None:
    """Return when the next file expires, in microseconds."""
    moment: int | None = connection.execute(select(func.min(files.c.expires_at))).scalar()
    return moment
