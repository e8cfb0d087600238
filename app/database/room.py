"""The reserve of the database's disk: what is added leaves it free for deleting and signing in."""

from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection

from app.database.base import DatabaseFull

HAS_ROOM: Final = "holdall.has_room"
"""Where a connection's ``info`` has a function that tells whether more than the reserve is free.

A database that is not on a disk of this host has none.
"""


def require_room(connection: Connection) -> None:
    """Raise `DatabaseFull` when no more than the reserve is left.

    For functions that add what others may delete; those that delete, or that deleting needs, go
    on without.
    """
    has_room: Callable[[], bool] | None = connection.info.get(HAS_ROOM)
    if has_room is not None and not has_room():
        raise DatabaseFull("only the reserve is left of the database's disk")
