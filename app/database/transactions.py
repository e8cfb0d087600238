"""Transactions that last as long as their work: a snapshot is read, an empty database is filled.

Beside the two verbs of `Database`, for commands. Between its functions such a transaction waits for
whatever its owner does, on a connection and, on SQLite, in a thread of its own.
"""

import asyncio
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection

from app.config import Settings
from app.database.base import P, Query, T
from app.database.migrate import alone
from app.database.sqlite.connections import create_sqlite_engine
from app.database.sqlite.errors import translated
from storage.completion import run_to_end

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

_ABANDONED_MINUTES = 30  # after which PostgreSQL ends a transaction whose owner doesn't go on


class Transaction(ABC):
    """A transaction over one connection; its functions are run one after the other."""

    @abstractmethod
    async def run(self, fn: Query[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run ``fn(connection, *args)``; raises its errors, and those of `Database`."""


@asynccontextmanager
async def snapshot(settings: Settings) -> AsyncIterator[Transaction]:
    """Open a transaction that only reads, and sees the database as it is now."""
    if settings.uses_postgres:
        async with _in_postgres(settings.postgres_dsn, reads_only=True) as transaction:
            yield transaction
    else:
        async with _in_sqlite(settings.sqlite_path, _begin_reading, _roll_back) as transaction:
            yield transaction


@asynccontextmanager
async def filling(settings: Settings) -> AsyncIterator[Transaction]:
    """Open a transaction that writes a whole database, and commits in the end unless it fails.

    No service can start meanwhile. References are checked, on SQLite before the commit.
    """
    async with alone(settings):
        if settings.uses_postgres:
            async with _in_postgres(settings.postgres_dsn, reads_only=False) as transaction:
                yield transaction
        else:
            async with _in_sqlite(settings.sqlite_path, _begin_filling, _commit) as transaction:
                yield transaction


class _OfSqlite(Transaction):
    def __init__(self, connection: Connection, thread: ThreadPoolExecutor) -> None:
        self._connection = connection
        self._thread = thread

    async def run(self, fn: Query[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        work = partial(fn, self._connection, *args, **kwargs)
        with _errors(translated):
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)


@asynccontextmanager
async def _in_sqlite(
    path: Path, begin: Query[[], None], end: Query[[], None]
) -> AsyncIterator[Transaction]:
    engine = create_sqlite_engine(path)
    with ThreadPoolExecutor(1, thread_name_prefix="sqlite-transaction") as thread:
        with _errors(translated):
            connection = await asyncio.get_running_loop().run_in_executor(thread, engine.connect)
        transaction = _OfSqlite(connection, thread)
        try:
            await transaction.run(begin)
            yield transaction
            await transaction.run(end)
        finally:  # what has not been committed is rolled back
            await run_to_end(transaction.run(Connection.close))
            engine.dispose()


def _begin_reading(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")
    connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").all()  # takes the snapshot


def _begin_filling(connection: Connection) -> None:
    # migrations copy and drop tables, and a drop would count as a delete
    connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _roll_back(connection: Connection) -> None:
    connection.exec_driver_sql("ROLLBACK")


def _commit(connection: Connection) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if broken:
        raise sqlite3.IntegrityError(f"{len(broken)} references lead nowhere; undone")
    connection.exec_driver_sql("COMMIT")


class _OfPostgres(Transaction):
    def __init__(self, connection: "AsyncConnection") -> None:
        self._connection = connection

    async def run(self, fn: Query[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        from app.database.postgres.errors import translated

        with _errors(translated):
            return await self._connection.run_sync(fn, *args, **kwargs)


@asynccontextmanager
async def _in_postgres(dsn: str, *, reads_only: bool) -> AsyncIterator[Transaction]:
    from app.database.postgres.connections import create_postgres_engine
    from app.database.postgres.errors import translated

    level = "REPEATABLE READ" if reads_only else "READ COMMITTED"
    engine = create_postgres_engine(dsn)
    options = {"isolation_level": level, "postgresql_readonly": reads_only}
    async with AsyncExitStack() as stack:
        stack.push_async_callback(engine.dispose)
        with _errors(translated):
            connection = await engine.execution_options(**options).connect()
        stack.push_async_callback(connection.close)
        transaction = _OfPostgres(connection)
        await transaction.run(_begin_in_postgres)
        yield transaction
        await transaction.run(Connection.commit)


def _begin_in_postgres(connection: Connection) -> None:
    connection.exec_driver_sql(
        f"SET LOCAL idle_in_transaction_session_timeout = '{_ABANDONED_MINUTES}min'"
    )
    connection.exec_driver_sql("SELECT pg_current_snapshot()").all()


@contextmanager
def _errors(translate: Callable[[Exception], Exception]) -> Iterator[None]:
    """Turn the errors of a driver into those of `Database`."""
    try:
        yield
    except Exception as error:
        if (known := translate(error)) is error:
            raise
        raise known from error
