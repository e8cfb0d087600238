"""Bodies to put, as kind and as hostile as the contract lets their makers be."""

import asyncio
import hashlib
import mmap
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    Callable,
    Coroutine,
    Generator,
)
from typing import Any

from storage.base import ObjectReader

Body = AsyncIterable[bytes | memoryview]


def content(size: int, seed: int = 0) -> bytes:
    """Make ``size`` bytes that differ from those of any other seed and don't repeat."""
    return hashlib.shake_128(str(seed).encode()).digest(size)


async def chunked(data: bytes, size: int) -> AsyncGenerator[bytes]:
    """Yield ``data`` in chunks of ``size`` bytes."""
    for start in range(0, len(data), size):
        yield data[start : start + size]
        await asyncio.sleep(0)


class TwoBuffers:
    """A body that hands out views of two page-aligned buffers in turn, and spoils each in time.

    As soon as chunk n + 2 is asked for, chunk n becomes garbage, and stays so for a while before
    its buffer is filled again: who still reads it then stores the garbage.
    """

    def __init__(self, data: bytes, size: int) -> None:
        self._data = data
        self._size = size
        self._buffers = (mmap.mmap(-1, size), mmap.mmap(-1, size))

    async def __aiter__(self) -> AsyncGenerator[memoryview]:
        for number, start in enumerate(range(0, len(self._data), self._size)):
            buffer = self._buffers[number % 2]
            buffer[:] = b"\xee" * self._size
            await asyncio.sleep(0.001)
            chunk = self._data[start : start + self._size]
            buffer[: len(chunk)] = chunk
            yield memoryview(buffer)[: len(chunk)]

    def spoil(self) -> None:
        """Do what the maker may do once ``put`` has returned."""
        for buffer in self._buffers:
            buffer[:] = b"\xee" * self._size


async def failing(data: bytes, size: int, at: int, error: BaseException) -> AsyncGenerator[bytes]:
    """Raise ``error`` where chunk number ``at`` is asked for (the end counts as a chunk too)."""
    for number, start in enumerate(range(0, len(data), size)):
        if number == at:
            raise error
        yield data[start : start + size]
    raise error


async def watched(
    data: bytes, size: int, look: Callable[[], Coroutine[Any, Any, None]]
) -> AsyncGenerator[bytes]:
    """Await ``look()`` whenever a chunk is asked for, and at the end."""
    async for chunk in chunked(data, size):
        await look()
        yield chunk
    await look()


async def stalling(
    data: bytes, size: int, reached: asyncio.Event, go: asyncio.Event
) -> AsyncGenerator[bytes]:
    """Stop before the last chunk: set ``reached`` and wait for ``go``."""
    async for chunk in chunked(data[:-1], size):
        yield chunk
    reached.set()
    await go.wait()
    yield data[-1:]


async def endless(chunk: bytes) -> AsyncGenerator[bytes]:
    """Yield one chunk again and again."""
    while True:
        yield chunk
        await asyncio.sleep(0)


async def read(reader: ObjectReader) -> bytes:
    """Read all that a reader yields."""
    return b"".join([chunk async for chunk in reader])


class CancelledAt:
    """Runs a coroutine in a task and cancels that the n-th time that the coroutine waits.

    Of all ways to cancel this one is exact: with n from 1 up, every place where the coroutine can
    be interrupted is hit once. ``times`` cancels it at as many waits in a row; 0 for n never does.
    """

    def __init__(self, coroutine: Coroutine[Any, Any, object], number: int, times: int = 1) -> None:
        self.waits = 0
        """How often the coroutine has waited."""
        self._coroutine = coroutine
        self._cancelled = range(number, number + times)

    async def ended(self) -> bool:
        """Run it; tell whether it came to its own end (its error, if any, is raised)."""
        task = asyncio.create_task(self._run())
        await asyncio.wait((task,))
        if not task.cancelled():
            task.result()
        return not task.cancelled()

    async def _run(self) -> None:
        await self

    def __await__(self) -> Generator[Any, None, None]:
        inner = self._coroutine.__await__()
        error: BaseException | None = None
        while True:
            try:
                future = inner.send(None) if error is None else inner.throw(error)
            except StopIteration:
                return
            self.waits += 1
            task = asyncio.current_task()
            if self.waits in self._cancelled and task is not None:
                task.cancel()
            error = None
            try:
                yield future
            except BaseException as thrown:  # noqa: BLE001  # the coroutine's to answer
                error = thrown
