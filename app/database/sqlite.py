"""SQLite: one writer thread that commits many requests at once, reader threads beside it."""

import asyncio
import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.pool import NullPool

from app.database.base import Database, DatabaseFull, DatabaseUnavailable, P, Query, T
from app.database.statements import Compiled, Result, runners

BUSY_TIMEOUT = 10_000  # milliseconds that a statement waits for another process's lock
GROUP = 128  # writes that may share a commit
SHARED = 16  # reads that may share a snapshot
READERS = max(2, min(8, os.cpu_count() or 2))
_UNAVAILABLE = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN}


def create_sqlite_engine(path: Path) -> Engine:
    """Make an engine whose connections are durable, and begin transactions only when told to."""
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


class _Job:
    """A function to run, and the future of the one who waits for it."""

    __slots__ = ("alone", "error", "future", "loop", "result", "run")

    def __init__(self, run: Callable[[Connection], Any], *, alone: bool = False) -> None:
        self.run = run
        self.alone = alone
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self.result: object = None
        self.error: BaseException | None = None

    def attempt(self, connection: Connection) -> None:
        self.result, self.error = None, None
        try:
            self.result = self.run(connection)
        except BaseException as error:  # noqa: BLE001 - it is the waiting request's to handle
            self.error = error

    def answer(self) -> None:
        if self.future.done():  # the caller is gone
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(_translated(self.error))


class SqliteDatabase(Database):
    """A database in one file. Several processes may share it; their writers take turns."""

    def __init__(self, path: Path) -> None:
        self._engine = create_sqlite_engine(path)
        self._writes: SimpleQueue[_Job | None] = SimpleQueue()
        self._reads: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads = [threading.Thread(target=self._write_loop, name="sqlite-writer")]
        self._threads += [
            threading.Thread(target=self._read_loop, name=f"sqlite-reader-{n}")
            for n in range(READERS)
        ]
        self._closed = False
        for thread in self._threads:
            thread.start()

    async def read(self, fn: Query[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._submit(self._reads, lambda c: fn(c, *args, **kwargs))

    async def read_long(self, fn: Query[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._submit(self._reads, lambda c: fn(c, *args, **kwargs), alone=True)

    async def write_in_turn(
        self,
        turn: str | None,  # noqa: ARG002 - one writer serves all in turn
        fn: Query[P, T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        return await self._submit(self._writes, lambda c: fn(c, *args, **kwargs))

    async def _submit(
        self,
        queue: "SimpleQueue[_Job | None]",
        run: Callable[[Connection], T],
        *,
        alone: bool = False,
    ) -> T:
        if self._closed:
            raise DatabaseUnavailable("the database is closed")
        job = _Job(run, alone=alone)
        queue.put(job)
        result: T = await job.future
        return result

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._writes.put(None)
        for _ in range(READERS):
            self._reads.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        self._engine.dispose()

    def _write_loop(self) -> None:
        with self._engine.connect() as connection:
            while group := _take(self._writes, GROUP):
                _commit(connection, group)
                _answer(group)

    def _read_loop(self) -> None:
        with self._engine.connect() as connection:
            while group := _take(self._reads, SHARED):
                _read(connection, group)
                _answer(group)


def _take(queue: "SimpleQueue[_Job | None]", most: int) -> list[_Job]:
    """Wait for a job, and return it with those that wait already; none when the end has come."""
    job = queue.get()
    group: list[_Job] = []
    with suppress(Empty):
        while job is not None and not (job.alone and group):
            group.append(job)
            if len(group) == most or job.alone:
                return group
            job = queue.get_nowait()
        if group:
            queue.put(job)  # the end, or one that shares with nobody: for the next look
    return group


def _commit(connection: Connection, group: list[_Job]) -> None:
    """Run a group in one transaction, each job in its savepoint; each alone when that is lost."""
    raw = _raw(connection)
    try:
        raw.execute("BEGIN IMMEDIATE")
        for job in group:
            raw.execute("SAVEPOINT job")
            job.attempt(connection)
            # a full disk ends the whole transaction: then both of these fail, and with them all
            if job.error is not None:
                raw.execute("ROLLBACK TO job")
            raw.execute("RELEASE job")
        raw.execute("COMMIT")
    except sqlite3.Error as error:
        _roll_back(raw)
        if len(group) > 1:
            for job in group:
                _commit(connection, [job])
        elif group[0].error is None:
            group[0].error = error


def _read(connection: Connection, group: list[_Job]) -> None:
    """Run jobs on one snapshot of the database, which is taken after all of them came."""
    raw = _raw(connection)
    try:
        raw.execute("BEGIN")
        for job in group:
            job.attempt(connection)
    except sqlite3.Error as error:
        for job in group:
            job.error = error
    finally:
        _roll_back(raw)


def _raw(connection: Connection) -> sqlite3.Connection:
    raw = connection.connection.dbapi_connection
    assert isinstance(raw, sqlite3.Connection)
    return raw


def _roll_back(raw: sqlite3.Connection) -> None:
    if raw.in_transaction:
        with suppress(sqlite3.Error):  # nothing was acknowledged; the first error is reported
            raw.execute("ROLLBACK")


def _answer(group: list[_Job]) -> None:
    def answer_all() -> None:
        for job in group:
            job.answer()

    with suppress(RuntimeError):  # the loop has been closed: nobody waits any more
        group[0].loop.call_soon_threadsafe(answer_all)


def _translated(error: BaseException) -> BaseException:
    original = error.orig if isinstance(error, DBAPIError) else error
    if not isinstance(original, sqlite3.Error):
        return error
    code = getattr(original, "sqlite_errorcode", 0) & 0xFF  # the primary code of an extended one
    translated: Exception
    if code == sqlite3.SQLITE_FULL:
        translated = DatabaseFull("the database's disk is full")
    elif code in _UNAVAILABLE:
        translated = DatabaseUnavailable("the database is busy or its disk fails")
    else:
        return error
    translated.__cause__ = error
    return translated


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
