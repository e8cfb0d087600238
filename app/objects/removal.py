"""Removal of objects, as rows: these go at once, and tombstones say which bytes are to go.

A tombstone is a committed intent to delete what is stored under a key.
"""

from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    Connection,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)

from app.accounts.quota import give_back
from app.database import Statement, insert_if_absent
from app.objects.tables import object_bytes, object_segments, objects, tombstones

_COLUMNS = ["key", "due_at", "claimed_until", "put_at"]
_insert = insert_if_absent(tombstones, *_COLUMNS)
_renew = Statement(
    update(tombstones)
    .where(tombstones.c.key == bindparam("buried_key"))
    .values(due_at=bindparam("now"), claimed_until=0, put_at=bindparam("now"))
)
select_object = Statement(
    select(
        objects.c.account_id,
        objects.c.key,
        objects.c.state,
        objects.c.charged_bytes,
        objects.c.charged_slots,
        objects.c.created_at,
    ).where(objects.c.id == bindparam("object_id"))
)
_delete_bytes = Statement(
    delete(object_bytes).where(object_bytes.c.object_id == bindparam("object_id"))
)
_delete_object = Statement(delete(objects).where(objects.c.id == bindparam("object_id")))


def remove(connection: Connection, object_id: int, *, due_at: int) -> None:
    """Delete an object's rows, give its charge back, and schedule the deletion of its bytes.

    Nothing happens if it has been removed already.
    """
    row = select_object(connection, object_id=object_id).first()
    if row is None:
        return
    give_back(connection, row.account_id, row.charged_bytes, row.charged_slots)
    if row.key is not None and row.state == "ready":
        bury(connection, row.key, due_at=due_at, put_at=row.created_at)
    elif _delete_bytes(connection, object_id=object_id).rowcount == 0:  # none, or in segments
        bury_all(connection, [object_id], due_at=due_at)
    _delete_object(connection, object_id=object_id)


def remove_all(connection: Connection, object_ids: Sequence[int], *, due_at: int) -> None:
    """Do what `remove` does for many objects of one account, in few statements."""
    gone = objects.c.id.in_(object_ids)
    charged = connection.execute(
        select(
            objects.c.account_id,
            func.sum(objects.c.charged_bytes),
            func.sum(objects.c.charged_slots),
        )
        .where(gone)
        .group_by(objects.c.account_id)
    )
    for account_id, size, slots in charged.all():
        give_back(connection, account_id, int(size), int(slots))
    bury_all(connection, object_ids, due_at=due_at)
    connection.execute(delete(object_bytes).where(object_bytes.c.object_id.in_(object_ids)))
    connection.execute(delete(objects).where(gone))


def bury(connection: Connection, key: str, *, due_at: int, put_at: int) -> None:
    """Schedule the deletion of the bytes under ``key``, whose put had ended by ``put_at``."""
    _insert(connection, key=key, due_at=due_at, claimed_until=0, put_at=put_at)


def bury_again(connection: Connection, key: str, now: int) -> None:
    """Schedule the deletion of bytes whose put has just ended, even if they were buried before."""
    if _renew(connection, buried_key=key, now=now).rowcount == 0:
        bury(connection, key, due_at=now, put_at=now)


def bury_all(connection: Connection, object_ids: Sequence[int], *, due_at: int) -> None:
    """Schedule the deletion of what is stored of many objects, whose segments are forgotten."""
    due = literal(due_at, BigInteger)
    put_at = case((objects.c.state == "pending", due), else_=objects.c.created_at)
    of_objects = objects.c.id.in_(object_ids)
    of_segments = object_segments.c.object_id.in_(object_ids)
    for key, whose in (
        (objects.c.key, select(objects.c.key).where(of_objects, objects.c.key.is_not(None))),
        (object_segments.c.key, select(object_segments.c.key).join(objects).where(of_segments)),
    ):
        known = select(tombstones.c.id).where(tombstones.c.key == key).exists()
        buried = whose.with_only_columns(key, due, literal(0), put_at).where(~known)
        connection.execute(insert(tombstones).from_select(_COLUMNS, buried))
    connection.execute(delete(object_segments).where(of_segments))
