"""Connections to PostgreSQL: how they are made, and lent to jobs."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import asyncpg
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from app import metrics
from app.database.base import DatabaseUnavailable
from app.database.patience import too_late
from app.database.postgres.errors import is_full
from storage.postgres_hosts import Hosts

CONNECTIONS: Final = 10
_WAIT: Final = metrics.database_wait.labels("connection")
_CLOSE_SECONDS: Final = 1.0
_RETRY_SECONDS: Final = 0.5  # after which a server that has no more connections is asked again
ABANDONED_SECONDS: Final = 30
"""Seconds after which the server ends the transaction, and the locks, of a vanished process.

By TCP's own measure that takes hours.
"""
LOOK_SECONDS: Final = 2
"""Seconds after which the server sees that a connection was closed, and ends what it asked.

Else what nobody waits for any more would go on waiting for a lock, until none can connect.
"""


def create_postgres_engine(dsn: str) -> AsyncEngine:
    """Make an engine whose user says when transactions begin.

    The driver reads the URL, as it does for the store: parameters are libpq's (``sslmode``).
    """
    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=Hosts(dsn).connect,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,  # an error in the log shows no hashes and addresses
        poolclass=NullPool,
    )


class Connections:
    """A pool of connections, lent in the order of requests.

    SQLAlchemy's pool takes longer over lending a connection than PostgreSQL takes over a query.
    """

    def __init__(self, dsn: str, most: int = CONNECTIONS) -> None:
        self._engine = create_postgres_engine(dsn)
        self._slots = asyncio.Semaphore(most)
        self._returned = asyncio.Event()
        self._idle: list[AsyncConnection] = []

    @asynccontextmanager
    async def lend(self, until: float) -> AsyncIterator[AsyncConnection]:
        """Lend a connection outside any transaction; one that broke meanwhile is closed.

        It is broken at ``until``, a time of the loop: a cancellation would need the server's
        answer, which may never come. Raises `DatabaseUnavailable` when no connection is available.
        """
        asked = time.monotonic()
        await self._wait_for_slot(until)
        _WAIT.observe(time.monotonic() - asked)
        try:
            connection = await self._take(until)
            driver = driver_of(connection.sync_connection)
            end = asyncio.get_running_loop().call_at(until, driver.terminate)
            try:
                yield connection
            finally:
                end.cancel()
                await self._put_back(connection)
        finally:
            self._slots.release()

    async def forget_idle(self) -> None:
        """Close the idle connections: where one was lost, all are."""
        while self._idle:
            await _drop(self._idle.pop())

    async def aclose(self) -> None:
        while self._idle:
            connection = self._idle.pop()
            with suppress(Exception):  # it is closed all the same, without a word
                await driver_of(connection.sync_connection).close(timeout=_CLOSE_SECONDS)
            await _drop(connection)
        await self._engine.dispose()

    async def _wait_for_slot(self, until: float) -> None:
        if not self._slots.locked():
            await self._slots.acquire()
            return
        try:
            async with asyncio.timeout_at(until):
                await self._slots.acquire()
        except TimeoutError:
            raise too_late() from None

    async def _take(self, until: float) -> AsyncConnection:
        while True:
            while self._idle:
                connection = self._idle.pop()
                if not _is_broken(connection):
                    return connection
                await _drop(connection)
            try:
                async with asyncio.timeout_at(until):
                    return await self._connect()
            except Exception as error:  # whatever it says: a password, a name
                if not is_full(error) or time.monotonic() + _RETRY_SECONDS >= until:
                    raise DatabaseUnavailable(f"PostgreSQL can't be reached: {error!r}") from error
            await self._wait_for_return()

    async def _wait_for_return(self) -> None:
        """Wait for one of this process's connections, or a while for the server to have room."""
        self._returned.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(_RETRY_SECONDS):
                await self._returned.wait()

    async def _connect(self) -> AsyncConnection:
        connection = await self._engine.connect()
        try:
            await driver_of(connection.sync_connection).execute(
                f"SET idle_in_transaction_session_timeout = '{ABANDONED_SECONDS}s';"
                f"SET client_connection_check_interval = '{LOOK_SECONDS}s'"
            )
        except BaseException:
            await _drop(connection)
            raise
        return connection

    async def _put_back(self, connection: AsyncConnection) -> None:
        if (
            not _is_broken(connection)
            and not driver_of(connection.sync_connection).is_in_transaction()
        ):
            self._idle.append(connection)
            self._returned.set()
        else:
            await _drop(connection)


def driver_of(connection: Connection | None) -> "asyncpg.Connection[Any]":
    """Return the driver's connection beneath SQLAlchemy's."""
    assert connection is not None
    return connection.connection.driver_connection


def _is_broken(connection: AsyncConnection) -> bool:
    return connection.closed or connection.invalidated or driver_of(
        connection.sync_connection
    ).is_closed()  # fmt: skip


async def _drop(connection: AsyncConnection) -> None:
    """Close a connection, in whatever state it is."""
    with suppress(Exception):
        driver_of(connection.sync_connection).terminate()
    with suppress(Exception):
        await connection.close()
