"""Errors of SQLite, as `Database` has them."""

import sqlite3
from typing import Final

from sqlalchemy.exc import StatementError

from app.database.base import DatabaseFull, DatabaseUnavailable

FAILURES: Final = (sqlite3.Error, MemoryError)
"""What ends a transaction, whatever it was to do."""


def translated(error: Exception) -> Exception:
    """Return the error of `Database` for one of SQLite's; any other error as it is."""
    cause = original(error)
    if isinstance(cause, MemoryError):  # SQLite's own too
        return cause
    known: Exception
    match code(cause):
        case sqlite3.SQLITE_FULL:
            known = DatabaseFull("the database's disk is full")
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_IOERR | sqlite3.SQLITE_CANTOPEN:
            known = DatabaseUnavailable("the database is busy or its disk fails")
        case _:
            return error
    known.__cause__ = error
    return known


def original(error: BaseException | None) -> BaseException | None:
    return error.orig if isinstance(error, StatementError) else error


def code(error: BaseException | None) -> int:
    """Return the primary code of one of SQLite's errors; 0 for other errors."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
