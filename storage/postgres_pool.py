"""A pool of connections to PostgreSQL: of the driver's own, or of what wraps them."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, Generic, TypeVar

CONNECTIONS: Final = 10
"""Of a pool, unless somebody says how many."""

_CLOSE_SECONDS: Final = 1.0
_RETRY_SECONDS: Final = 0.5  # after which a server that has no more connections is asked again
_TOO_MANY: Final = "53300"  # SQLSTATE: of the server, a database or a role

T = TypeVar("T")


class CannotConnect(Exception):
    """The server can't be reached, or has no connection left; the cause says why."""


class Pool(Generic[T]):
    """Lends up to ``most`` connections, in the order of requests.

    Those of drivers and of SQLAlchemy take longer over lending one than PostgreSQL takes over a
    query, and give up at once when the server has no more connections, although those of this
    process come back.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[T]],
        driver_of: Callable[[T], Any],
        drop: Callable[[T], Awaitable[None]],
        most: int | None = None,
    ) -> None:
        self._connect = connect
        self._driver_of = driver_of
        self._drop = drop
        self._slots = asyncio.Semaphore(most or CONNECTIONS)
        self._returned = asyncio.Event()
        self._idle: list[T] = []

    async def take(self, until: float) -> T:
        """Return a connection outside any transaction, to be put back.

        Waits until a time of the loop: raises `TimeoutError` when none came back by then, and
        `CannotConnect` when no new one can be made.
        """
        if self._slots.locked():
            async with asyncio.timeout_at(until):
                await self._slots.acquire()
        else:
            await self._slots.acquire()
        try:
            while True:
                while self._idle:
                    connection = self._idle.pop()
                    if not self._driver_of(connection).is_closed():
                        return connection
                    await self._drop(connection)
                try:
                    async with asyncio.timeout_at(until):
                        return await self._connect()
                except Exception as error:  # whatever it says: a password, a name
                    if not _is_full(error) or time.monotonic() + _RETRY_SECONDS >= until:
                        raise CannotConnect(repr(error)) from error
                await self._wait_for_return()
        except BaseException:
            self._slots.release()
            raise

    async def put_back(self, connection: T) -> None:
        """Take a connection back; one that is lost, or in a transaction, is dropped."""
        try:
            driver = self._driver_of(connection)
            if driver.is_closed() or driver.is_in_transaction():
                await self._drop(connection)
            else:
                self._idle.append(connection)
                self._returned.set()
        finally:
            self._slots.release()

    async def forget_idle(self) -> None:
        """Drop the idle connections: where one was lost, all are."""
        while self._idle:
            await self._drop(self._idle.pop())

    async def aclose(self) -> None:
        """Say goodbye on the idle connections."""
        while self._idle:
            connection = self._idle.pop()
            with suppress(Exception):  # it is closed all the same, without a word
                await self._driver_of(connection).close(timeout=_CLOSE_SECONDS)
            await self._drop(connection)

    async def _wait_for_return(self) -> None:
        """Wait for one of this process's connections, or a while for the server to have room."""
        self._returned.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(_RETRY_SECONDS):
                await self._returned.wait()


def _is_full(error: Exception) -> bool:
    original = getattr(error, "orig", error)  # SQLAlchemy's error has the driver's
    return getattr(original, "sqlstate", None) == _TOO_MANY
