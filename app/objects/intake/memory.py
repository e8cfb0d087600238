"""Memory for bodies: page-aligned buffers that are reused, within a budget.

Page-aligned buffers let a store bypass the page cache, and reusing them saves the kernel from
clearing fresh pages. By measurement, nothing else matters more here.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from mmap import PAGESIZE, mmap
from typing import Final

from app.errors import ServiceUnavailable
from app.permits import Permits

LARGE: Final = 2 * 1024 * 1024
SMALL: Final = 128 * 1024
_BUDGET: Final = 64 * 1024 * 1024  # past this, new uploads get small buffers
_KEPT: Final = 8  # large buffers kept for the next upload
_SMALL_BODY: Final = 64 * 1024
_WHOLE: Final = "whole bodies"
_WHOLE_BODIES: Final = 8
_PATIENCE: Final = 60.0  # seconds


class BufferPool:
    """Lends pairs of buffers: an upload fills one while the other is written."""

    def __init__(self, workers: int = 1) -> None:
        """``workers`` share the budget."""
        self._budget = _BUDGET // workers
        self._kept: list[mmap] = []
        self._lent = 0

    @contextmanager
    def pair(self, size: int | None) -> Iterator[tuple[memoryview, memoryview]]:
        """Lend two buffers for a body of ``size`` bytes (None: unknown)."""
        length = LARGE if self._lent + 2 * LARGE <= self._budget else SMALL
        if size is not None and size <= SMALL:
            pages = max(1, -(-size // PAGESIZE))
            length = pages * PAGESIZE
        maps = (self._take(length), self._take(length))
        self._lent += 2 * length
        try:
            yield memoryview(maps[0]), memoryview(maps[1])
        finally:
            self._lent -= 2 * length
            if length == LARGE:
                self._kept.extend(maps[: max(0, _KEPT - len(self._kept))])

    def _take(self, length: int) -> mmap:
        if length == LARGE and self._kept:
            return self._kept.pop()
        return mmap(-1, length)


class BodyMemoryLimit:
    """Limits how many large bodies are in memory whole at once; small ones don't count."""

    def __init__(self, permits: Permits) -> None:
        self._permits = permits

    @asynccontextmanager
    async def hold(self, size: int) -> AsyncIterator[None]:
        """Hold ``size`` bytes when that is allowed; raises `ServiceUnavailable` after a minute."""
        if size <= _SMALL_BODY:
            yield
            return
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._permits.acquire(_WHOLE, _WHOLE_BODIES)
        except TimeoutError:
            raise ServiceUnavailable("Too many large bodies in memory at once") from None
        try:
            yield
        finally:
            self._permits.release(_WHOLE)


async def fill(
    chunks: AsyncIterator[bytes | memoryview], pair: tuple[memoryview, memoryview]
) -> AsyncIterator[memoryview]:
    """Regroup a body into views of the two buffers in turn, each full but the last."""
    turn, filled = 0, 0
    buffer = pair[turn]
    async for chunk in chunks:
        position = 0
        while position < len(chunk):
            taken = min(len(chunk) - position, len(buffer) - filled)
            buffer[filled : filled + taken] = (
                chunk if taken == len(chunk) else memoryview(chunk)[position : position + taken]
            )
            filled += taken
            position += taken
            if filled == len(buffer):
                yield buffer
                turn, filled = 1 - turn, 0
                buffer = pair[turn]
    if filled:
        yield buffer[:filled]
