"""Connections to PostgreSQL: how they are made, and lent to jobs."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, NamedTuple

import asyncpg
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from app import metrics
from app.database.base import DatabaseUnavailable
from app.database.patience import too_late
from storage.postgres_hosts import Hosts
from storage.postgres_pool import CannotConnect, Pool

_WAIT: Final = metrics.database_wait.labels("connection")
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


class Lent(NamedTuple):
    """A connection of SQLAlchemy's, and the driver's beneath it."""

    connection: AsyncConnection
    driver: "asyncpg.Connection[Any]"


class Connections:
    """The pool of connections that jobs run on."""

    def __init__(self, dsn: str, most: int | None) -> None:
        self._engine = create_postgres_engine(dsn)
        self._pool = Pool(self._connect, lambda lent: lent.driver, _drop, most)

    @asynccontextmanager
    async def lend(self, until: float) -> AsyncIterator[Lent]:
        """Lend a connection outside any transaction; one that broke meanwhile is closed.

        It is broken at ``until``, a time of the loop: a cancellation would need the server's
        answer, which may never come. Raises `DatabaseUnavailable` when no connection is available.
        """
        asked = time.monotonic()
        try:
            lent = await self._pool.take(until)
        except TimeoutError:
            raise too_late() from None
        except CannotConnect as error:
            raise DatabaseUnavailable(f"PostgreSQL can't be reached: {error}") from error.__cause__
        finally:
            _WAIT.observe(time.monotonic() - asked)
        end = asyncio.get_running_loop().call_at(until, lent.driver.terminate)
        try:
            yield lent
        finally:
            end.cancel()
            await self._pool.put_back(lent)

    async def forget_idle(self) -> None:
        await self._pool.forget_idle()

    async def aclose(self) -> None:
        await self._pool.aclose()
        await self._engine.dispose()

    async def _connect(self) -> Lent:
        connection = await self._engine.connect()
        lent = Lent(connection, driver_of(connection.sync_connection))
        try:
            await lent.driver.execute(
                f"SET idle_in_transaction_session_timeout = '{ABANDONED_SECONDS}s';"
                f"SET client_connection_check_interval = '{LOOK_SECONDS}s'"
            )
        except BaseException:
            await _drop(lent)
            raise
        return lent


def driver_of(connection: Connection | None) -> "asyncpg.Connection[Any]":
    """Return the driver's connection beneath SQLAlchemy's."""
    assert connection is not None
    return connection.connection.driver_connection


async def _drop(lent: Lent) -> None:
    """Close a connection, in whatever state it is."""
    lent.driver.terminate()
    with suppress(Exception):
        await lent.connection.close()
