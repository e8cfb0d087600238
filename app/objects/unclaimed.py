"""Where bodies wait until it is known whose they are: bounded in size, together, and in time.

A form may hold its file before the field that says who sends it. Nobody is charged for that yet,
so what a stranger may leave here is bounded instead.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from app.errors import ContentTooLarge, RequestTimeout, ServiceUnavailable
from app.objects.scratch import Scratch

MIB: Final = 1024 * 1024
LIMIT: Final = 256 * MIB
"""Bytes of one body."""

_STEP: Final = MIB


class Held:
    """A body that has arrived whole, and waits."""

    def __init__(self, path: Path, size: int, deadline: asyncio.Timeout) -> None:
        self.size = size
        self._path = path
        self._deadline = deadline

    def admit(self) -> None:
        """Let it stay for as long as it takes: its sender is known."""
        self._deadline.reschedule(None)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield its bytes."""
        with await asyncio.to_thread(self._path.open, "rb") as file:
            while chunk := await asyncio.to_thread(file.read, _STEP):
                yield chunk


class Anteroom:
    """Holds bodies of strangers in scratch space."""

    def __init__(
        self,
        scratch: Scratch,
        *,
        limit: int = LIMIT,
        room: int = 4 * LIMIT,
        seconds: float = 600.0,
    ) -> None:
        """A body may have ``limit`` bytes, all together ``room``, and those of one host half of it.

        After ``seconds`` a body goes that hasn't been admitted.
        """
        self._scratch = scratch
        self._limit = limit
        self._room = room
        self._seconds = seconds
        self._taken: Counter[str] = Counter()  # bytes, by host

    @asynccontextmanager
    async def hold(
        self, chunks: AsyncIterator[bytes], *, host: str, announced: int | None
    ) -> AsyncIterator[Held]:
        """Take a body in that comes from ``host``, and hold it as long as the context lasts.

        ``announced`` is how long it may be at most, where that is known. Raises `ContentTooLarge`,
        `RequestTimeout` when it isn't admitted in time, `ServiceUnavailable` when there is no room,
        `StoreFull`, and the body's own errors.
        """
        size = 0

        async def counted() -> AsyncIterator[bytes]:
            nonlocal size
            async for chunk in chunks:
                self._take(host, len(chunk))
                size += len(chunk)
                self._check(size)
                yield chunk

        self._check(announced or 0)
        try:
            async with (
                asyncio.timeout(self._seconds) as deadline,
                self._scratch.file(counted()) as path,
            ):
                yield Held(path, size, deadline)
        except TimeoutError:
            if deadline.expired():
                raise RequestTimeout from None
            raise
        finally:
            self._taken[host] -= size
            if not self._taken[host]:
                del self._taken[host]

    def _check(self, size: int) -> None:
        if size > self._limit:
            raise ContentTooLarge(
                f"What comes before the field that says whose it is has up to {self._limit} bytes"
            )

    def _take(self, host: str, size: int) -> None:
        taken = self._taken
        if taken.total() + size > self._room or taken[host] + size > self._room // 2:
            raise ServiceUnavailable("Too many bodies wait for what says whose they are")
        taken[host] += size
