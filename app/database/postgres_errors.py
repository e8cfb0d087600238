"""What errors of PostgreSQL, and of the way to it, mean to those who asked."""

from typing import Final

import asyncpg
from sqlalchemy.exc import DBAPIError

from app.database.base import DatabaseFull, DatabaseUnavailable

_CONFLICTS: Final = {"40001", "40P01"}  # serialization failure, deadlock
_FULL: Final = {"53100"}
_UNAVAILABLE: Final = {"08", "53", "57"}  # SQLSTATE classes: connection, resources, operator
# the second is what the driver makes of a connection that is lost between two messages
_DISCONNECTED: Final = (asyncpg.InterfaceError, asyncpg.InternalClientError, ConnectionError)


def is_conflict(error: Exception) -> bool:
    """Tell whether a transaction gave way to another: nothing was done, and may be tried again."""
    return _sqlstate(error) in _CONFLICTS


def is_disconnect(error: Exception) -> bool:
    """Tell whether the connection was lost."""
    original = error.__cause__ if isinstance(error, DBAPIError) else error
    return (
        (isinstance(error, DBAPIError) and error.connection_invalidated)
        or isinstance(original, _DISCONNECTED)
        or _sqlstate(error)[:2] in {"08", "57"}
    )


def is_outage(error: Exception) -> bool:
    """Tell whether there is no server to be had, however often one tries."""
    return isinstance(error, DatabaseUnavailable) or is_disconnect(error)


def translated(error: Exception) -> Exception:
    """Return the error that `Database` has for one of PostgreSQL's; another one as it is."""
    state = _sqlstate(error)
    known: Exception
    if state in _FULL:
        known = DatabaseFull("the database's disk is full")
    elif (
        isinstance(error, OSError | TimeoutError)
        or is_disconnect(error)
        or state[:2] in _UNAVAILABLE
        or state in _CONFLICTS
    ):
        known = DatabaseUnavailable(f"PostgreSQL does not serve: {error}")
    else:
        return error
    known.__cause__ = error
    return known


def _sqlstate(error: BaseException) -> str:
    original = error.orig if isinstance(error, DBAPIError) else error
    return getattr(original, "sqlstate", None) or ""
