"""Reading an object of a networked store in windows, so that a slow consumer holds nothing."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

from storage.base import ByteRange, ObjectReader
from storage.parts import MIB

Fetch = Callable[[ByteRange], Awaitable[Iterable[bytes]]]
"""Reads a part of an object in one go and returns exactly its bytes, in chunks."""

SMALLEST_WINDOW = MIB
LARGEST_WINDOW = 8 * MIB


def require_range(wanted: ByteRange, size: int | None = None) -> None:
    """Raise `ValueError` when a range is none, or not within an object of ``size`` bytes."""
    if not 0 <= wanted.start <= wanted.stop or (size is not None and wanted.stop > size):
        raise ValueError(f"{wanted} is not within the object")


def first_window(wanted: ByteRange) -> ByteRange:
    """Return the part that is read first, where it is read before anything else is known."""
    return _window(wanted.start, wanted.stop, SMALLEST_WINDOW)


def _window(start: int, stop: int, size: int) -> ByteRange:
    # Windows end at whole MiBs of the object, as rows and parts do.
    end = (start + size) // SMALLEST_WINDOW * SMALLEST_WINDOW
    return ByteRange(start, min(max(end, start + 1), stop))


class WindowReader(ObjectReader):
    """Yields the wanted bytes, one window held and the next being fetched: at most 16 MiB.

    ``first`` are bytes from the start of the wanted ones on; the whole is wanted by default.
    Raises `ValueError` when the range isn't within the object.

    Nothing of the store is held while the consumer is slow. Windows grow for a consumer that has
    to wait for them and shrink for one that doesn't, so that many slow ones hold 2 MiB each.
    """

    def __init__(
        self, fetch: Fetch, size: int, wanted: ByteRange | None, first: Iterable[bytes] = ()
    ) -> None:
        wanted = wanted or ByteRange(0, size)
        require_range(wanted, size)
        self.size = size
        self._fetch = fetch
        self._stop = wanted.stop
        self._chunks = deque(first)
        self._position = wanted.start + sum(map(len, self._chunks))
        self._window_size = SMALLEST_WINDOW
        self._ahead: asyncio.Future[Iterable[bytes]] | None = None

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self._look_ahead()
        while self._chunks or self._ahead is not None:
            while self._chunks:
                yield self._chunks.popleft()
            if self._ahead is not None:
                await self._advance(self._ahead)

    async def aclose(self) -> None:
        """Give up what is being fetched."""
        if self._ahead is not None:
            self._ahead.cancel()
            await asyncio.wait((self._ahead,))
            if not self._ahead.cancelled():
                self._ahead.exception()

    async def _advance(self, ahead: asyncio.Future[Iterable[bytes]]) -> None:
        if ahead.done():
            self._window_size = max(self._window_size // 2, SMALLEST_WINDOW)
        else:
            self._window_size = min(self._window_size * 2, LARGEST_WINDOW)
        self._chunks.extend(await ahead)
        self._ahead = None
        self._look_ahead()

    def _look_ahead(self) -> None:
        if self._position < self._stop:
            window = _window(self._position, self._stop, self._window_size)
            self._position = window.stop
            self._ahead = asyncio.ensure_future(self._fetch(window))
