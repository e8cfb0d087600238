"""A store that takes the place of another: what the previous one holds is still read there."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import Final

from storage.base import (
    ByteRange,
    ObjectInfo,
    ObjectReader,
    ObjectStore,
    SupportsLocalPath,
    in_batches,
)
from storage.errors import ObjectNotFound
from storage.key_set import KeySet
from storage.parts import LATE


def moving(new: ObjectStore, previous: ObjectStore) -> "MovingStore":
    """Make one store of two: ``new`` takes the place of ``previous``."""
    if isinstance(new, SupportsLocalPath) and isinstance(previous, SupportsLocalPath):
        return _MovingFiles(new, previous)
    return MovingStore(new, previous)


class MovingStore(ObjectStore):
    """Puts go to the new store, reads find what either has, deletes reach both.

    What only the previous store has may be copied to the new one at any time. Copying deletes
    nothing, so that an object is found in one of the two at any moment.
    """

    def __init__(self, new: ObjectStore, previous: ObjectStore) -> None:
        self.new: Final = new
        self.previous: Final = previous

    @property
    def late(self) -> float:
        # whoever copies an object may end after its delete, and be killed before it sees that
        return max(self.new.late, self.previous.late, LATE)

    async def put(
        self, key: str, body: AsyncIterable[bytes | memoryview], *, size: int | None
    ) -> None:
        await self.new.put(key, body, size=size)

    @asynccontextmanager
    async def open(
        self, key: str, byte_range: ByteRange | None = None
    ) -> AsyncIterator[ObjectReader]:
        async with AsyncExitStack() as stack:
            try:
                reader = await stack.enter_async_context(self.new.open(key, byte_range))
            except ObjectNotFound:
                reader = await stack.enter_async_context(self.previous.open(key, byte_range))
            yield reader

    async def stat(self, key: str) -> ObjectInfo:
        try:
            return await self.new.stat(key)
        except ObjectNotFound:
            return await self.previous.stat(key)

    async def delete(self, keys: Sequence[str]) -> None:
        await self.new.delete(keys)
        await self.previous.delete(keys)

    async def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        with closing(KeySet()) as listed:
            async for batch in in_batches(self.new.list(prefix)):
                await asyncio.to_thread(listed.add, [info.key for info in batch])
                for info in batch:
                    yield info
            async for batch in in_batches(self.previous.list(prefix)):
                others = await asyncio.to_thread(listed.lacking, [info.key for info in batch])
                for info in batch:
                    if info.key in others:
                        yield info

    async def unfinished(self) -> AsyncIterator[ObjectInfo]:
        for store in (self.new, self.previous):
            async for info in store.unfinished():
                yield info

    async def ping(self) -> None:
        await self.new.ping()
        await self.previous.ping()

    async def aclose(self) -> None:
        await self.new.aclose()
        await self.previous.aclose()


class _MovingFiles(MovingStore):
    """Does so for two stores of files, which the kernel sends."""

    def local_path(self, key: str) -> Path:
        """Return where the object's file is, if it exists; complete files only."""
        assert isinstance(self.new, SupportsLocalPath)
        assert isinstance(self.previous, SupportsLocalPath)
        path = self.new.local_path(key)
        return path if path.exists() else self.previous.local_path(key)
