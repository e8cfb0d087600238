"""Objects read whole by who copies or checks them: as they were stored, or with an error."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Final

from storage.base import ObjectReader, ObjectStore

_SMALL: Final = 1024 * 1024  # bytes; a copy of a larger one may take up to 48 MiB of memory
_SMALL_AT_ONCE: Final = 16
_LARGE_AT_ONCE: Final = 3


class Damaged(Exception):
    """The bytes are others than what was stored."""


class Turns:
    """Turns of copies: many of small objects at once, few of large ones."""

    def __init__(self) -> None:
        self._small = asyncio.Semaphore(_SMALL_AT_ONCE)
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)

    def of(self, size: int) -> asyncio.Semaphore:
        """Return what an object of a size in bytes waits for."""
        return self._small if size <= _SMALL else self._large


async def verified(reader: ObjectReader, size: int, sha256: bytes) -> AsyncGenerator[bytes]:
    """Yield the bytes of an object, to be closed.

    Raises `Damaged`, for another digest after the last byte, so that no copy is ended.
    """
    if reader.size != size:
        raise Damaged(f"of {reader.size} bytes, where {size} were stored")
    digest = hashlib.sha256()
    async for chunk in reader:
        await asyncio.to_thread(digest.update, chunk)
        yield chunk
    if digest.digest() != sha256:
        raise Damaged("of another SHA-256 than what was stored")


async def verify(store: ObjectStore, key: str, size: int, sha256: bytes) -> None:
    """Read an object; raises `Damaged` and the store's errors."""
    async with store.open(key) as reader, aclosing(verified(reader, size, sha256)) as chunks:
        async for _ in chunks:
            pass
