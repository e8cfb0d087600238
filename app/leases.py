"""Leases that are renewed as long as their owner runs."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import structlog

from app.database import DatabaseUnavailable
from storage.errors import StorageError

INTERVAL: Final = 60.0
"""Seconds between two renewals."""

_RETRY: Final = 5.0  # seconds, when one has failed

Renew = Callable[[], Awaitable[bool]]
"""Renews a lease; returns whether it has been held all the time."""

Lost = Callable[[], Exception]
"""Makes the error of a lease that ended though it was to be renewed."""

log = structlog.get_logger(__name__)


class Lease:
    """A lease that a task renews; whoever relies on it asks whether it is still held."""

    def __init__(self, renew: Renew, seconds: float, lost: Lost) -> None:
        """``seconds`` is how long it lives without a renewal, ``lost`` makes its error."""
        self._renew = renew
        self._seconds = seconds
        self._lost = lost
        self._until = time.monotonic() + seconds
        self._is_lost = False
        self._renewing = asyncio.Lock()

    def require(self) -> None:
        """Raise the error unless it is held, as far as is known."""
        if self._has_ended():
            raise self._lost()

    async def confirm(self) -> None:
        """Renew it now; raises the error unless it has been held all the time."""
        await self._try()
        self.require()

    async def keep(self) -> None:
        """Renew it until it is lost, or nobody needs it."""
        pause = INTERVAL
        while not self._has_ended():
            await asyncio.sleep(pause)
            pause = INTERVAL
            try:
                await self._try()
            except (DatabaseUnavailable, StorageError) as error:
                log.warning("a lease could not be renewed; trying again", error=repr(error))
                pause = _RETRY

    async def _try(self) -> None:
        async with self._renewing:
            if self._has_ended():
                return
            asked = time.monotonic()
            self._is_lost = not await self._renew()
            if not self._has_ended():
                self._until = asked + self._seconds

    def _has_ended(self) -> bool:
        return self._is_lost or time.monotonic() >= self._until


@asynccontextmanager
async def kept(renew: Renew, *, seconds: float, lost: Lost) -> AsyncIterator[Lease]:
    """Keep a lease, which has just been taken for so many seconds."""
    lease = Lease(renew, seconds, lost)
    keeping = asyncio.create_task(lease.keep())
    try:
        yield lease
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
