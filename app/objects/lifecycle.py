"""The life cycle of objects, as rows: charged, pending, ready, replaced, deleted.

All are plain functions for `Database.write` and `Database.read`. A transaction that
changes what an account keeps locks the account first (`quota`), which prevents deadlocks.
"""

import hashlib
from typing import Final

from sqlalchemy import (
    BigInteger,
    Connection,
    Integer,
    bindparam,
    insert,
    select,
    update,
)

from app import clock
from app.accounts.identity import Identity
from app.accounts.quota import charge, lock_account
from app.database import Statement, require_storage
from app.errors import ContentTooLarge, LeaseLost
from app.objects import segments
from app.objects.entities import Received, Reservation
from app.objects.removal import bury_again, remove, select_object
from app.objects.tables import object_bytes, objects

LEASE: Final = 5 * clock.MINUTE
"""How long a pending object lives unless its upload renews the lease."""

GRACE: Final = 10 * clock.MINUTE
"""How long replaced bytes stay, so that downloads in progress can end."""


_insert_object = Statement(
    insert(objects)
    .values(
        account_id=bindparam("account_id"),
        kind=bindparam("kind"),
        key=bindparam("key"),
        state=bindparam("state"),
        size=bindparam("size"),
        sha256=bindparam("sha256"),
        crc32=bindparam("crc32"),
        encoding=bindparam("encoding"),
        charged_bytes=bindparam("charged_bytes"),
        charged_slots=bindparam("charged_slots"),
        created_at=bindparam("created_at"),
        lease_until=bindparam("lease_until"),
        inbox_id=bindparam("inbox_id", type_=BigInteger),
    )
    .returning(objects.c.id)
)
_insert_bytes = Statement(
    insert(object_bytes).values(object_id=bindparam("object_id"), data=bindparam("data"))
)
_complete = Statement(
    update(objects)
    .where(objects.c.id == bindparam("object_id"))
    .values(
        state="ready",
        key=bindparam("key"),
        size=bindparam("size"),
        sha256=bindparam("sha256"),
        crc32=bindparam("crc32"),
        encoding=bindparam("encoding"),
        charged_bytes=bindparam("charged_bytes", type_=BigInteger),
        charged_slots=bindparam("charged_slots"),
        created_at=bindparam("now"),
        lease_until=None,
    )
)
_grow = Statement(
    update(objects)
    .where(
        objects.c.id == bindparam("object_id"),
        objects.c.state == "pending",
        objects.c.key == bindparam("held_key"),  # another one: somebody has taken over
        objects.c.charged_bytes == bindparam("charged_bytes"),
    )
    .values(charged_bytes=bindparam("size"))
)
_take_place = Statement(
    update(objects)
    .where(objects.c.id == bindparam("object_id"))
    .values(
        charged_slots=bindparam("charged_slots", type_=BigInteger),
        created_at=bindparam("modified_at"),
    )
)
_leave_place = Statement(
    update(objects).where(objects.c.id == bindparam("object_id")).values(charged_slots=0)
)
_exists = Statement(
    select(objects.c.id).where(objects.c.id == bindparam("object_id", type_=Integer))
)


def reserve(
    connection: Connection,
    identity: Identity,
    *,
    kind: str,
    key: str,
    size: int,
    slots: int,
    now: int,
    free: bool = False,
) -> Reservation:
    """Charge for an object that is about to be sent, and record it as pending under a lease.

    A derivative of an object that has been charged for is ``free``: its size and slots are 0.
    """
    object_id = _insert_pending(connection, identity, kind, key, size, slots, now, now + LEASE)
    return Reservation(object_id, key, size, identity, free)


def begin(connection: Connection, identity: Identity, *, kind: str, slots: int, now: int) -> int:
    """Make an unfinished object, which is appended to by `segments`; returns its id.

    It has no lease: whoever refers to it removes it.
    """
    return _insert_pending(connection, identity, kind, None, 0, slots, now, None)


def _insert_pending(
    connection: Connection,
    identity: Identity,
    kind: str,
    key: str | None,
    charged_bytes: int,
    slots: int,
    now: int,
    lease_until: int | None,
) -> int:
    require_storage(connection)
    charge(connection, identity, charged_bytes, slots)
    object_id: int = _insert_object(
        connection,
        account_id=identity.account_id,
        kind=kind,
        key=key,
        state="pending",
        size=0,
        sha256=None,
        crc32=None,
        encoding=None,
        charged_bytes=charged_bytes,
        charged_slots=slots,
        created_at=now,
        lease_until=lease_until,
        inbox_id=identity.inbox_id,
    ).scalar_one()
    return object_id


def grow(connection: Connection, reservation: Reservation, charged_bytes: int) -> None:
    """Charge a pending object for more bytes; raises `QuotaExceeded` or `LeaseLost`."""
    charge(connection, reservation.owner, charged_bytes - reservation.charged_bytes, 0)
    grown = _grow(
        connection,
        object_id=reservation.object_id,
        held_key=reservation.key,
        charged_bytes=reservation.charged_bytes,
        size=charged_bytes,
    )
    if grown.rowcount == 0:
        raise LeaseLost


def settle(
    connection: Connection,
    identity: Identity,
    received: Received,
    *,
    kind: str,
    slots: int,
    now: int,
    free: bool = False,
) -> int:
    """Make a received body a ready object, charged for exactly what it takes; returns its id.

    A ``free`` one has no slots and no limit. Raises `ContentTooLarge` and `QuotaExceeded` for
    small ones, which had no reservation, and `LeaseLost` when a sweep has taken the reservation
    away.
    """
    limit = None if free else identity.tier.max_object_bytes
    charged = 0 if free else received.size
    if limit is not None and received.size > limit:
        raise ContentTooLarge(f"The account's tier allows objects of up to {limit} bytes")
    if received.reservation is None:
        require_storage(connection)
        charge(connection, identity, charged, slots)
        object_id = _insert_object(
            connection,
            account_id=identity.account_id,
            kind=kind,
            key=None,
            state="ready",
            size=received.size,
            sha256=received.sha256,
            crc32=received.crc32,
            encoding=received.encoding,
            charged_bytes=charged,
            charged_slots=slots,
            created_at=now,
            lease_until=None,
            inbox_id=identity.inbox_id,
        ).scalar_one()
    else:
        object_id = received.reservation.object_id
        reservation = received.reservation
        _complete_reservation(connection, identity, received, reservation, charged, slots, now)
    if received.data is not None:
        _insert_bytes(connection, object_id=object_id, data=received.data)
    if received.on_settle is not None:
        received.on_settle(connection, identity)
    return int(object_id)


def _complete_reservation(
    connection: Connection,
    identity: Identity,
    received: Received,
    reservation: Reservation,
    charged: int,
    slots: int,
    now: int,
) -> None:
    lock_account(connection, identity.account_id)
    row = select_object(connection, object_id=reservation.object_id).first()
    # a pending object still has its lease, whatever the clock says
    if row is None or row.state != "pending" or row.key != reservation.key:
        raise LeaseLost
    key = reservation.key if received.data is None else None
    if received.tail is not None:
        key = segments.join_tail(connection, reservation, received.tail, now)
    charge(connection, identity, charged - row.charged_bytes, slots - row.charged_slots)
    _complete(
        connection,
        object_id=reservation.object_id,
        key=key,
        size=received.size,
        sha256=received.sha256,
        crc32=received.crc32,
        encoding=received.encoding,
        charged_bytes=charged,
        charged_slots=slots,
        now=now,
    )


def modified_after(previous: int, now: int) -> int:
    """Return the modification time of bytes that replace others.

    It is at least a second later, the resolution of HTTP dates.
    """
    return max(now, (previous // clock.SECOND + 1) * clock.SECOND)


def replace(connection: Connection, *, old: int, new: int, modified_at: int, now: int) -> None:
    """Put a ready object in the place and the slot of another, which is deleted after `GRACE`.

    The new bytes count as ``modified_at``, see `modified_after`.
    """
    row = select_object(connection, object_id=old).one()
    _take_place(connection, object_id=new, charged_slots=row.charged_slots, modified_at=modified_at)
    _leave_place(connection, object_id=old)
    remove(connection, old, due_at=now + GRACE)


def insert_empty(connection: Connection, account_id: int, like: int, now: int) -> int:
    """Make an object without bytes, for the place of another; returns its id.

    It is charged for nothing: `replace` gives it the slot of the other.
    """
    kind = connection.execute(select(objects.c.kind).where(objects.c.id == like)).scalar_one()
    object_id: int = _insert_object(
        connection,
        account_id=account_id,
        kind=kind,
        key=None,
        state="ready",
        size=0,
        sha256=hashlib.sha256().digest(),
        crc32=0,
        encoding=None,
        charged_bytes=0,
        charged_slots=0,
        created_at=now,
        lease_until=None,
        inbox_id=None,
    ).scalar_one()
    _insert_bytes(connection, object_id=object_id, data=b"")
    return object_id


def succeed(connection: Connection, object_id: int, modified_at: int) -> None:
    """Let a ready object, which has a slot now, follow another that stays.

    Its bytes count as ``modified_at``, see `modified_after`.
    """
    _take_place(connection, object_id=object_id, charged_slots=1, modified_at=modified_at)


def give_up(connection: Connection, reservation: Reservation, now: int) -> None:
    """Give up the reservation of a failed upload, unless it has become ready after all."""
    lock_account(connection, reservation.owner.account_id)
    row = select_object(connection, object_id=reservation.object_id).first()
    if row is None:  # a sweep was faster, perhaps even than the put
        bury_again(connection, reservation.key, now)
    elif row.state == "pending":
        remove(connection, reservation.object_id, due_at=now)


def exists(connection: Connection, object_id: int) -> bool:
    """Tell whether an object still exists."""
    return _exists(connection, object_id=object_id).first() is not None


def renew(connection: Connection, object_ids: list[int], now: int) -> None:
    """Renew the leases of running uploads, except those that a sweep has ended."""
    connection.execute(
        update(objects)
        .where(objects.c.id.in_(object_ids), objects.c.state == "pending")
        .values(lease_until=now + LEASE)
    )
