"""Leases that are renewed as long as their owner runs."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import structlog

from app.backup.errors import LeaseLost
from app.database import DatabaseUnavailable
from storage.errors import StorageError

INTERVAL: Final = 60.0
"""Seconds between two renewals."""

_RETRY: Final = 5.0  # seconds, when one has failed

Renew = Callable[[], Awaitable[bool]]
"""Renews a lease; returns whether it has been held all the time."""

log = structlog.get_logger(__name__)


class Lease:
    """A lease that a task renews; whoever relies on it asks whether it is still held."""

    def __init__(self, renew: Renew, seconds: float, lost: str) -> None:
        """``seconds`` is how long it lives without a renewal, ``lost`` the message if it ends."""
        self._renew = renew
        self._seconds = seconds
        self._lost = lost
        self._until = time.monotonic() + seconds
        self._is_lost = False
        self._renewing = asyncio.Lock()

    def require(self) -> None:
        """Raise `LeaseLost` unless it is held, as far as is known."""
        if self._is_lost or time.monotonic() >= self._until:
            raise LeaseLost(self._lost)

    async def confirm(self) -> None:
        """Renew it now; raises `LeaseLost` unless it has been held all the time."""
        async with self._renewing:
            self.require()
            asked = time.monotonic()
            self._is_lost = not await self._renew()
            self.require()
            self._until = asked + self._seconds

    async def keep(self) -> None:
        """Renew it until it is lost, or nobody needs it."""
        pause = INTERVAL
        while not self._is_lost:
            await asyncio.sleep(pause)
            pause = INTERVAL
            try:
                await self.confirm()
            except LeaseLost:
                return
            except (DatabaseUnavailable, StorageError) as error:
                log.warning("a lease could not be renewed; trying again", error=repr(error))
                pause = _RETRY


@asynccontextmanager
async def kept(renew: Renew, *, seconds: float, lost: str) -> AsyncIterator[Lease]:
    """Keep a lease, which has just been taken for so many seconds."""
    lease = Lease(renew, seconds, lost)
    keeping = asyncio.create_task(lease.keep())
    try:
        yield lease
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
