"""The reserve of the database's disk, which additions leave free for deletions and logins."""

from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection

from app.database.base import DatabaseFull

HAS_STORAGE: Final = "holdall.has_storage"
"""Key in a connection's ``info`` of a function that tells whether more than the reserve is free.

A database that is not on a disk of this host has none.
"""


def require_storage(connection: Connection) -> None:
    """Raise `DatabaseFull` when only the reserve is left.

    Called by functions that add what can be deleted later, not by those that a deletion needs.
    """
    has_storage: Callable[[], bool] | None = connection.info.get(HAS_STORAGE)
    if has_storage is not None and not has_storage():
        raise DatabaseFull("only the reserve is left of the database's disk")
