"""Event-loop lag: how long whatever is due waits for what runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from app import metrics

INTERVAL: Final = 0.5
"""Seconds between two looks."""


@asynccontextmanager
async def measuring_lag() -> AsyncIterator[None]:
    """Measure the lag of this event loop while the context lasts."""
    measuring = asyncio.create_task(_measure(), name="loop lag")
    try:
        yield
    finally:
        measuring.cancel()
        with suppress(asyncio.CancelledError):
            await measuring


async def _measure() -> None:
    clock = asyncio.get_running_loop().time
    while True:
        due = clock() + INTERVAL
        await asyncio.sleep(INTERVAL)
        metrics.loop_lag.observe(max(0.0, clock() - due))
