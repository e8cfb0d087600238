"""A body cut into parts in memory, and a few of them under way to a server at a time."""

import asyncio
import mmap
import tempfile
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable
from dataclasses import dataclass

MIB = 1 << 20
LATE = 3600.0
"""Seconds for which a request that was given up may still lie in a proxy or a server's queue."""

_SMALL = MIB
_LARGEST_IN_MEMORY = 16 * MIB


@dataclass(frozen=True, slots=True)
class Part:
    """Some bytes of a body. Parts are numbered from 1; only the last may be short or empty."""

    number: int
    buffer: mmap.mmap | bytearray
    length: int
    is_last: bool

    @property
    def view(self) -> memoryview:
        return memoryview(self.buffer)[: self.length]


class Parts:
    """Cuts a body into parts of sizes that ``size_of`` gives for their numbers, in bytes.

    ``announced`` is the body's length, where it is known; any other raises `ValueError`.
    """

    def __init__(
        self,
        body: AsyncIterable[bytes | memoryview],
        announced: int | None,
        size_of: Callable[[int], int],
    ) -> None:
        self._announced = announced
        self._size_of = size_of
        self._spare: list[mmap.mmap | bytearray] = []
        is_small = announced is not None and announced <= min(_SMALL, size_of(1))
        self._cut = self._whole(body) if is_small else self._generate(body)

    async def next(self) -> Part:
        """Return the next part; there is one more after every part that isn't the last."""
        return await anext(self._cut)

    async def send_all(
        self, first: Part, send: Callable[[Part], Awaitable[None]], at_once: int
    ) -> None:
        """Call ``send`` for ``first`` and every part after it, with some of them under way.

        These, the part being filled included, take up to ``at_once`` bytes together, but two may
        always exist. After an error or a cancellation, nothing is under way any more.
        """
        part = first
        under_way: set[asyncio.Future[None]] = set()
        try:
            while True:
                while len(under_way) >= max(at_once // len(part.buffer) - 1, 1):
                    await _first_sent(under_way)
                under_way.add(asyncio.ensure_future(self._send(part, send)))
                if part.is_last:
                    break
                part = await self.next()
            while under_way:
                await _first_sent(under_way)
        finally:
            for future in under_way:
                future.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def aclose(self) -> None:
        """Close the generator within; the body is its maker's to close."""
        await self._cut.aclose()

    async def _send(self, part: Part, send: Callable[[Part], Awaitable[None]]) -> None:
        await send(part)
        self._spare.append(part.buffer)

    async def _generate(self, body: AsyncIterable[bytes | memoryview]) -> AsyncGenerator[Part]:
        number, received, used = 1, 0, 0
        buffer = self._buffer(number)
        async for chunk in body:
            view = memoryview(chunk).cast("B")
            received += len(view)
            self._check(received)
            while view:
                if used == len(buffer):
                    yield Part(number, buffer, used, is_last=False)
                    number, used = number + 1, 0
                    buffer = self._buffer(number)
                taken = min(len(view), len(buffer) - used)
                buffer[used : used + taken] = view[:taken]
                used += taken
                view = view[taken:]
        self._check(received, is_whole=True)
        yield Part(number, buffer, used, is_last=True)

    async def _whole(self, body: AsyncIterable[bytes | memoryview]) -> AsyncGenerator[Part]:
        """Yield one part, for 1 ms less than a mapping costs whose pages come one by one."""
        buffer = bytearray()
        async for chunk in body:
            buffer += chunk
            self._check(len(buffer))
        self._check(len(buffer), is_whole=True)
        yield Part(1, buffer, len(buffer), is_last=True)

    def _check(self, received: int, *, is_whole: bool = False) -> None:
        """Compare the bytes that have come with those announced."""
        announced = self._announced
        if announced is None:
            return
        if received > announced:
            raise ValueError(f"the body is longer than the {announced} bytes announced")
        if is_whole and received < announced:
            raise ValueError(f"the body ended after {received} of the {announced} bytes announced")

    def _buffer(self, number: int) -> mmap.mmap | bytearray:
        size = self._size_of(number)
        while self._spare:
            if len(spare := self._spare.pop()) == size:
                return spare
        if size <= _LARGEST_IN_MEMORY:
            return mmap.mmap(-1, size)  # a page that nothing is written to takes no memory
        # The kernel may write pages of a file out, so that even a part of a GiB needs no memory.
        with tempfile.TemporaryFile() as file:
            file.truncate(size)
            return mmap.mmap(file.fileno(), size)


async def _first_sent(under_way: set[asyncio.Future[None]]) -> None:
    """Wait until one or more are sent and drop them from the set; raises what went wrong."""
    done, _ = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
    under_way -= done
    # All are asked, for an error that nobody looks at is complained of.
    for error in [future.exception() for future in done]:
        if error is not None:
            raise error
