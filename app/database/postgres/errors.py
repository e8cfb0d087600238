"""Errors of PostgreSQL and of the connection to it, as `Database` has them."""

from typing import Final

import asyncpg
from sqlalchemy.exc import DBAPIError

from app.database.base import DatabaseFull, DatabaseUnavailable

_CONFLICTS: Final = {"40001", "40P01"}  # serialization failure, deadlock
_FULL: Final = {"53100"}
_UNAVAILABLE: Final = {"08", "53", "57"}  # SQLSTATE classes: connection, resources, operator
_READ_ONLY: Final = "25006"  # said by a server that is no primary, or no longer
# the second is what the driver makes of a connection that is lost between two messages
_DISCONNECTED: Final = (asyncpg.InterfaceError, asyncpg.InternalClientError, ConnectionError)


def is_conflict(error: Exception) -> bool:
    """Tell whether a transaction conflicted with another, and can be run again."""
    return _sqlstate(error) in _CONFLICTS


def is_disconnect(error: Exception) -> bool:
    """Tell whether the connection was lost, or leads to a server that takes no writes."""
    original = error.__cause__ if isinstance(error, DBAPIError) else error
    return (
        (isinstance(error, DBAPIError) and error.connection_invalidated)
        or isinstance(original, _DISCONNECTED)
        or _sqlstate(error)[:2] in {"08", "57"}
        or _sqlstate(error) == _READ_ONLY
    )


def is_outage(error: Exception) -> bool:
    """Tell whether no server can be reached, so that trying again is useless."""
    return isinstance(error, DatabaseUnavailable) or is_disconnect(error)


def translated(error: Exception) -> Exception:
    """Return the error of `Database` for one of PostgreSQL's; any other error as it is."""
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
