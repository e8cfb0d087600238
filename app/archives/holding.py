"""Holds of downloads: what an archive is made of stays until it has been sent."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final

import structlog

from app import clock
from app.database import Database, DatabaseUnavailable, Patience
from app.objects import holds
from storage.completion import run_to_end

KEEPS: Final = 60 * clock.MINUTE
"""For how long deleted bytes are kept for downloads at most, so that nobody can fill the disk by
downloading slowly."""

_INTERVAL: Final = 60.0  # seconds between two renewals

log = structlog.get_logger(__name__)


@asynccontextmanager
async def holding(database: Database, wake_sweep: Callable[[], None]) -> AsyncIterator[None]:
    """Keep the sweep from deleting what is read from now on, for `KEEPS` after it is due."""
    hold = await database.write(holds.take, clock.now(), KEEPS)
    renewing = asyncio.create_task(_renew(database, hold))
    try:
        yield
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)
        with Patience(), suppress(DatabaseUnavailable):  # else it ends by itself
            await run_to_end(database.write(holds.end, hold))
        wake_sweep()


async def _renew(database: Database, hold: int) -> None:
    while True:
        await asyncio.sleep(_INTERVAL)
        try:
            with Patience():
                await database.write(holds.renew, hold, clock.now())
        except DatabaseUnavailable as error:
            log.warning("a hold could not be renewed; trying again", error=repr(error))
