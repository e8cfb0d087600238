"""Unclaimed uploads: bodies that wait until it is known whose they are.

A form may have its file before the field that says who sends it. Nobody can be charged for that
yet, so the size of one, of all together, and the time that it waits are bounded.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from app.errors import ContentTooLarge, RequestTimeout, ServiceUnavailable
from app.objects.scratch import Scratch, chunks_of

MIB: Final = 1024 * 1024
LIMIT: Final = 256 * MIB
"""Bytes that one body may have."""


class Unclaimed:
    """A body that has arrived whole, and waits for its owner."""

    def __init__(self, path: Path, size: int, deadline: asyncio.Timeout) -> None:
        self.size = size
        self._path = path
        self._deadline = deadline

    def claim(self) -> AsyncIterator[bytes]:
        """Return its bytes, which may now take as long as they need: the owner is known."""
        self._deadline.reschedule(None)
        return chunks_of(self._path)


class UnclaimedUploads:
    """Holds bodies of strangers in scratch space."""

    def __init__(
        self,
        scratch: Scratch,
        *,
        limit: int = LIMIT,
        total: int = 4 * LIMIT,
        seconds: float = 600.0,
    ) -> None:
        """A body may have ``limit`` bytes, all together ``total``, those of one host half of that.

        One that isn't claimed after ``seconds`` is dropped.
        """
        self._scratch = scratch
        self._limit = limit
        self._total = total
        self._seconds = seconds
        self._taken: Counter[str] = Counter()  # bytes, by host

    @asynccontextmanager
    async def hold(
        self, chunks: AsyncIterator[bytes], *, host: str, announced: int | None
    ) -> AsyncIterator[Unclaimed]:
        """Receive a body from ``host``, and hold it as long as the context lasts.

        ``announced`` is an upper bound of its size, where known. Raises `ContentTooLarge`,
        `RequestTimeout` if it isn't claimed in time, `ServiceUnavailable` if too much waits,
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
                yield Unclaimed(path, size, deadline)
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
                f"A file before the field that says whose it is may have up to {self._limit} bytes"
            )

    def _take(self, host: str, size: int) -> None:
        taken = self._taken
        if taken.total() + size > self._total or taken[host] + size > self._total // 2:
            raise ServiceUnavailable("Too many uploads wait to be claimed")
        taken[host] += size
