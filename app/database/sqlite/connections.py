"""Connections to SQLite: how they are opened, and how statements of the house run on them."""

import sqlite3
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import IntegrityError
from sqlalchemy.pool import NullPool

from app.database.statements import Compiled, Result, runners

BUSY_TIMEOUT: Final = 10_000
"""Milliseconds that a statement waits for another process's lock."""


def create_sqlite_engine(path: Path) -> Engine:
    """Make an engine of durable connections; its user says when transactions begin."""
    engine = create_engine(
        f"sqlite:///{path}",
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,  # an error in the log shows no hashes and addresses
        poolclass=NullPool,
        connect_args={"check_same_thread": False},
    )

    @event.listens_for(engine, "connect")
    def _configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")

    return engine


def raw_of(connection: Connection) -> sqlite3.Connection:
    """Return the driver's own connection."""
    raw = connection.connection.dbapi_connection
    assert isinstance(raw, sqlite3.Connection)
    return raw


def _run_statement(
    connection: Connection, compiled: Compiled, parameters: tuple[object, ...]
) -> Result:
    cursor = connection.connection.dbapi_connection.cursor()  # type: ignore[union-attr]
    try:
        cursor.execute(compiled.sql, parameters)
    except sqlite3.IntegrityError as error:  # what the callers of either dialect expect
        raise IntegrityError(compiled.sql, None, error) from error
    rows = [compiled.row(row) for row in cursor.fetchall()] if compiled.row else []
    return Result(rows, cursor.rowcount)


runners["sqlite"] = _run_statement
