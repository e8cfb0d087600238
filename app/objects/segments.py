"""The segments of objects as rows: what an unfinished object is appended to.

Plain functions for `Database.write` and `Database.read`. An unfinished object is pending, and its
key is that of the segment being written. So the key is what tells the one writer from those before
it: whoever takes over changes the key, and without the key nothing can be added.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    String,
    bindparam,
    cast,
    delete,
    func,
    insert,
    literal_column,
    select,
    update,
)

from app.accounts.identity import Identity
from app.accounts.quota import give_back, lock_account
from app.database import Statement, require_storage
from app.errors import LeaseLost
from app.objects.entities import Reservation, Segment, Tail
from app.objects.removal import bury, bury_again
from app.objects.tables import object_segments, objects

_of_object = object_segments.c.object_id == objects.c.id
_space, _comma = (literal_column(f"'{character}'", String) for character in " ,")
_numbers = cast(object_segments.c.n, String) + _space + cast(object_segments.c.size, String)
SEGMENTS = (
    select(func.aggregate_strings(_numbers + _space + object_segments.c.key, _comma))  # type: ignore[arg-type]
    .where(_of_object)
    .correlate(objects)
    .scalar_subquery()
)
"""A column of ``objects`` for `parse`: an object's segments, in no given order."""

_select = Statement(
    select(objects.c.key, objects.c.state, objects.c.size, objects.c.charged_bytes).where(
        objects.c.id == bindparam("object_id")
    )
)
_insert = Statement(
    insert(object_segments).values(
        {column.name: bindparam(column.name, type_=column.type) for column in object_segments.c}
    )
)
_list = Statement(
    select(object_segments.c.n, object_segments.c.key, object_segments.c.size)
    .where(object_segments.c.object_id == bindparam("object_id"))
    .order_by(object_segments.c.n)
)
_next = Statement(
    select(func.coalesce(func.max(object_segments.c.n) + 1, 0)).where(
        object_segments.c.object_id == bindparam("object_id")
    )
)
_move_on = Statement(
    update(objects)
    .where(objects.c.id == bindparam("object_id"))
    .values(
        key=bindparam("next_key", type_=objects.c.key.type),
        size=bindparam("size", type_=BigInteger),
        charged_bytes=bindparam("charged_bytes", type_=BigInteger),
    )
)
_is_used = Statement(
    select(objects.c.id)
    .where(objects.c.key == bindparam("used_key"))
    .union_all(
        select(object_segments.c.object_id).where(object_segments.c.key == bindparam("used_key"))
    )
)


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An object that is being appended to, and the right to write its next segment."""

    reservation: Reservation
    size: int
    """Of the segments that are committed."""
    segments: tuple[Segment, ...] = ()


def parse(found: str | None) -> tuple[Segment, ...]:
    """Return the segments in the value of `SEGMENTS`, in their order."""
    if not found:
        return ()
    rows = [line.split(" ", 2) for line in found.split(",")]
    rows.sort(key=lambda row: int(row[0]))
    return tuple(Segment(key, int(size)) for _, size, key in rows)


def find(connection: Connection, object_id: int) -> tuple[Segment, ...]:
    """Return the committed segments of an object."""
    rows = _list(connection, object_id=object_id).rows
    return tuple(Segment(row.key, row.size) for row in rows)


def take_over(
    connection: Connection, identity: Identity, object_id: int, key: str, now: int
) -> Unfinished:
    """Become the one writer of an unfinished object; whoever was that before can't commit any more.

    ``key`` is for its next segment. It stays charged for what is committed alone. Raises
    `LeaseLost` if it is gone or finished.
    """
    require_storage(connection)
    lock_account(connection, identity.account_id)
    stop_writer(connection, identity, object_id, now)
    row = _select(connection, object_id=object_id).first()
    if row is None or row.state != "pending":
        raise LeaseLost
    _move_on(connection, object_id=object_id, next_key=key, size=row.size, charged_bytes=row.size)
    reservation = Reservation(object_id, key, row.size, identity)
    return Unfinished(reservation, row.size, find(connection, object_id))


def stop_writer(connection: Connection, identity: Identity, object_id: int, now: int) -> None:
    """Let nobody commit what they are writing to an unfinished object, if anybody is."""
    lock_account(connection, identity.account_id)
    row = _select(connection, object_id=object_id).first()
    if row is None or row.state != "pending" or row.key is None:
        return
    bury_again(connection, row.key, now)
    give_back(connection, identity.account_id, row.charged_bytes - row.size, 0)
    _move_on(connection, object_id=object_id, next_key=None, size=row.size, charged_bytes=row.size)


def add(
    connection: Connection, held: Unfinished, tail: Tail, next_key: str | None, now: int
) -> Unfinished:
    """Commit the segment that has been stored under the key that is held.

    ``next_key`` is for the one after it; None: nothing more is written for now, and the charge is
    what is committed. Raises `LeaseLost` if somebody else has taken over; then the segment is
    buried.
    """
    reservation = held.reservation
    charged_bytes = _require_held(connection, reservation)
    size = held.size + tail.size
    if next_key is None:
        give_back(connection, reservation.owner.account_id, charged_bytes - size, 0)
        charged_bytes = size
    _pass_on(connection, reservation, next_key, size, charged_bytes)
    added = held.segments
    if tail.size:
        insert_tail(connection, reservation, tail)
        added += (Segment(reservation.key, tail.size),)
    else:
        bury(connection, reservation.key, due_at=now, put_at=now)
    following = replace(reservation, key=next_key or "", charged_bytes=charged_bytes)
    return Unfinished(following, size, added)


def insert_tail(connection: Connection, reservation: Reservation, tail: Tail) -> None:
    """Insert the row of the segment under a reservation's key, as the last one."""
    object_id = reservation.object_id
    n = _next(connection, object_id=object_id).scalar_one()
    values = {"key": reservation.key, "size": tail.size, "sha256": tail.sha256}
    _insert(connection, object_id=object_id, n=n, **values)


def let_go(connection: Connection, held: Unfinished, now: int) -> None:
    """Give up what was written under the key that is held, unless it was committed after all."""
    reservation = held.reservation
    try:
        charged_bytes = _require_held(connection, reservation)
    except LeaseLost:
        if is_used(connection, reservation.key):
            return
    else:
        give_back(connection, reservation.owner.account_id, charged_bytes - held.size, 0)
        _pass_on(connection, reservation, None, held.size, held.size)
    bury_again(connection, reservation.key, now)


def withdraw(connection: Connection, held: Unfinished, before: Unfinished, now: int) -> Unfinished:
    """Remove the segments that were added to ``before``; nobody may know of them yet.

    The key stays the one that is held. Raises `LeaseLost` if somebody else has taken over.
    """
    reservation = held.reservation
    charged_bytes = _require_held(connection, reservation)
    added = _list(connection, object_id=reservation.object_id).rows[len(before.segments) :]
    _remove(connection, reservation.object_id, added, now)
    _pass_on(connection, reservation, reservation.key, before.size, charged_bytes)
    return replace(held, size=before.size, segments=before.segments)


def merge(
    connection: Connection, held: Unfinished, run: slice, merged: Tail, next_key: str, now: int
) -> Unfinished:
    """Replace some neighbours by the copy of them that was stored under the key that is held.

    ``next_key`` is for the next segment. Raises `LeaseLost` as `add` does.
    """
    reservation = held.reservation
    charged_bytes = _require_held(connection, reservation)
    _pass_on(connection, reservation, next_key, held.size, charged_bytes)
    object_id = reservation.object_id
    rows = _list(connection, object_id=object_id).rows[run]
    _remove(connection, object_id, rows, now)
    values = {"key": reservation.key, "size": merged.size, "sha256": merged.sha256}
    _insert(connection, object_id=object_id, n=rows[0].n, **values)
    left = list(held.segments)
    left[run] = [Segment(reservation.key, merged.size)]
    following = replace(reservation, key=next_key, charged_bytes=charged_bytes)
    return Unfinished(following, held.size, tuple(left))


def join_tail(connection: Connection, reservation: Reservation, tail: Tail, now: int) -> str | None:
    """Add the last segment of an object that is finished; returns the key if it is the only one."""
    before = find(connection, reservation.object_id)
    if before and tail.size:
        insert_tail(connection, reservation, tail)
        return None
    if tail.size:
        return reservation.key
    bury(connection, reservation.key, due_at=now, put_at=now)
    if len(before) != 1:
        return None
    connection.execute(
        delete(object_segments).where(object_segments.c.object_id == reservation.object_id)
    )
    return before[0].key


def is_used(connection: Connection, key: str) -> bool:
    """Tell whether an object or a segment has a key."""
    return _is_used(connection, used_key=key).first() is not None


def known_sizes(connection: Connection, keys: Sequence[str]) -> dict[str, int | None]:
    """Return those keys that a segment has, with their sizes."""
    rows = connection.execute(
        select(object_segments.c.key, object_segments.c.size).where(object_segments.c.key.in_(keys))
    )
    return {row.key: row.size for row in rows}


def _remove(connection: Connection, object_id: int, rows: Sequence[Any], now: int) -> None:
    """Remove some neighbours, given as rows, and bury their keys."""
    connection.execute(
        delete(object_segments).where(
            object_segments.c.object_id == object_id,
            object_segments.c.n.between(rows[0].n, rows[-1].n),
        )
    )
    for row in rows:
        bury(connection, row.key, due_at=now, put_at=now)


def _require_held(connection: Connection, reservation: Reservation) -> int:
    """Lock the account, and return what the object is charged for; raises `LeaseLost`."""
    lock_account(connection, reservation.owner.account_id)
    row = _select(connection, object_id=reservation.object_id).first()
    if row is None or row.state != "pending" or row.key != reservation.key:
        raise LeaseLost
    return int(row.charged_bytes)


def _pass_on(
    connection: Connection,
    reservation: Reservation,
    next_key: str | None,
    size: int,
    charged_bytes: int,
) -> None:
    """Change the key that is held for the next one."""
    _move_on(
        connection,
        object_id=reservation.object_id,
        next_key=next_key,
        size=size,
        charged_bytes=charged_bytes,
    )
