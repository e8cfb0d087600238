"""Tombstones: committed intents to delete what is stored under a key."""

from collections.abc import Sequence

from sqlalchemy import (
    BigInteger,
    Connection,
    bindparam,
    case,
    delete,
    insert,
    literal,
    select,
    update,
)

from app.database import Statement, insert_if_absent
from app.objects.tables import object_segments, objects, tombstones

_COLUMNS = ["key", "due_at", "claimed_until", "put_at"]
_insert = insert_if_absent(tombstones, *_COLUMNS)
_renew = Statement(
    update(tombstones)
    .where(tombstones.c.key == bindparam("buried_key"))
    .values(due_at=bindparam("now"), claimed_until=0, put_at=bindparam("now"))
)


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
