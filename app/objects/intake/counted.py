"""One body on its way to the store, as one object: counted, limited, charged for and hashed."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from concurrent.futures import ThreadPoolExecutor

from app.database import Database
from app.errors import ContentTooLarge
from app.objects.digests import Hashing
from app.objects.entities import Reservation
from app.objects.intake.charging import Charging
from app.objects.intake.hashing import begin_update, finished
from app.objects.intake.memory import fill


class Intake:
    """Counts, limits, charges for and hashes one body on its way to the store."""

    def __init__(
        self,
        database: Database,
        reservation: Reservation,
        limit: int | None,
        hashing: Hashing,
        threads: ThreadPoolExecutor,
    ) -> None:
        self.charging = Charging(database, reservation)
        self.size = 0
        self.hashing = hashing
        self._limit = limit
        self._threads = threads
        self._hashed: tuple[asyncio.Future[None], ...] = ()

    async def chunks(
        self, body: AsyncIterator[bytes], pair: tuple[memoryview, memoryview]
    ) -> AsyncGenerator[memoryview, None]:
        """Yield the body in views of the two buffers, hashing each in threads meanwhile."""
        async for chunk in fill(self._counted(body), pair):
            await self.finish_hashing()
            self._hashed = (begin_update(self._threads, self.hashing, chunk),)
            yield chunk
        await self.finish_hashing()
        self.hashing.check()

    async def finish_hashing(self) -> None:
        """Wait until the last chunk is hashed, so that its buffer is free."""
        hashed, self._hashed = self._hashed, ()
        await finished(*hashed)

    async def _counted(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            self.size += len(chunk)
            if self._limit is not None and self.size > self._limit:
                raise too_large(self._limit)
            await self.charging.cover(self.size)
            yield chunk


def too_large(limit: int) -> ContentTooLarge:
    """Return the error for more bytes than an object may have."""
    return ContentTooLarge(f"The account's tier allows objects of up to {limit} bytes")
