"""A body that is cut into segments, and ends where it breaks off."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable


class Source:
    """The chunks of one body.

    An error of the body's own, or of charging for it, ends it: what arrived before that counts.
    ``broken`` is that error, if any.
    """

    def __init__(
        self, chunks: AsyncIterator[bytes], charge: Callable[[int], Awaitable[None]]
    ) -> None:
        """``charge`` is awaited with the size of each chunk before that counts."""
        self.broken: Exception | None = None
        self._chunks = chunks
        self._charge = charge
        self._rest = memoryview(b"")
        self._ended = False
        self._waiting: asyncio.Timeout | None = None

    def stop(self, reason: Exception) -> None:
        """End the body here and now."""
        if not self._ended:
            self.broken, self._ended = reason, True
            if self._waiting is not None:
                self._waiting.reschedule(asyncio.get_running_loop().time())

    async def has_more(self) -> bool:
        """Wait for the next bytes; returns whether there are any."""
        while not self._rest and not self._ended:
            await self._next()
        return bool(self._rest)

    async def segment(self, size: int) -> AsyncIterator[memoryview]:
        """Yield up to ``size`` bytes, fewer only at the body's end."""
        while size and await self.has_more():
            taken, self._rest = self._rest[:size], self._rest[size:]
            size -= len(taken)
            yield taken

    async def _next(self) -> None:
        try:
            async with asyncio.timeout(None) as self._waiting:
                chunk = await anext(self._chunks, None)
            self._waiting = None
            if chunk is None:
                self._ended = True
            elif not self._ended:
                await self._charge(len(chunk))
                self._rest = memoryview(chunk)
        except Exception as error:  # noqa: BLE001 - raised once what arrived is committed
            self._waiting = None
            if not self._ended:
                self.broken, self._ended = error, True
