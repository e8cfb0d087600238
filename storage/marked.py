"""A store that is known by its marks, and believed for as long as they are there."""

import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from storage.base import ByteRange, ObjectInfo, ObjectReader, ObjectStore, SupportsLocalPath
from storage.completion import run_to_end
from storage.errors import ObjectNotFound, StorageError, StoreUnmarked

_FRESH = 1.0  # seconds for which a mark that was seen need not be looked at again


def marked(store: ObjectStore, marks: Sequence[str], content: bytes) -> ObjectStore:
    """Make a store known by objects that hold ``content`` under the keys ``marks``.

    A mark stands for the keys of its kind, the first one for those of every other.
    """
    if isinstance(store, SupportsLocalPath):
        return _MarkedFiles(store, marks, content)
    return _MarkedStore(store, marks, content)


class _MarkedStore(ObjectStore):
    """Passes everything to another store, and raises `StoreUnmarked` when a mark is missing.

    A disk that isn't mounted and a bucket that was emptied look like a store without objects. So
    before a body is taken, and before anything is said to be missing or deleted, its mark is seen.
    """

    _may_move = False  # whether the store may become another one between two calls

    def __init__(self, inner: ObjectStore, marks: Sequence[str], content: bytes) -> None:
        self._inner = inner
        self._content = content
        self._main = marks[0]
        self._marks = {_kind(mark): mark for mark in marks}
        self._seen: dict[str, float] = {}

    @property
    def late(self) -> float:
        return self._inner.late

    async def put(
        self, key: str, body: AsyncIterable[bytes | memoryview], *, size: int | None
    ) -> None:
        await self._see(self._mark_of(key), within=_FRESH)
        await self._inner.put(key, body, size=size)
        try:
            await self._see(self._mark_of(key), within=0.0 if self._may_move else _FRESH)
        except BaseException as error:
            try:
                await run_to_end(self._inner.delete([key]))
            except StorageError as failure:
                error.add_note(f"it may be left behind: {failure}")
            raise

    @asynccontextmanager
    async def open(
        self, key: str, byte_range: ByteRange | None = None
    ) -> AsyncIterator[ObjectReader]:
        async with AsyncExitStack() as stack:
            try:
                reader = await stack.enter_async_context(self._inner.open(key, byte_range))
            except ObjectNotFound:
                await self._see(self._mark_of(key))
                raise
            yield reader

    async def stat(self, key: str) -> ObjectInfo:
        try:
            return await self._inner.stat(key)
        except ObjectNotFound:
            await self._see(self._mark_of(key))
            raise

    async def delete(self, keys: Sequence[str]) -> None:
        await self._inner.delete(keys)
        await self._see(*{self._mark_of(key) for key in keys})

    async def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        marks = [self._mark_of(prefix)] if "/" in prefix else self._marks.values()
        async for info in self._believed(self._inner.list(prefix), marks):
            yield info

    async def unfinished(self) -> AsyncIterator[ObjectInfo]:
        async for info in self._believed(self._inner.unfinished(), self._marks.values()):
            yield info

    async def ping(self) -> None:
        await self._see(*self._marks.values())
        await self._inner.ping()

    async def aclose(self) -> None:
        await self._inner.aclose()

    async def _believed(
        self, infos: AsyncIterator[ObjectInfo], marks: Iterable[str]
    ) -> AsyncIterator[ObjectInfo]:
        """See the marks before a listing, which may be another store's, and after it."""
        await self._see(*marks)
        async for info in infos:
            yield info
        await self._see(*marks)

    def _mark_of(self, key: str) -> str:
        return self._marks.get(_kind(key), self._main)

    async def _see(self, *marks: str, within: float = 0.0) -> None:
        """Look at marks, but for those that were seen within so many seconds."""
        for mark in marks:
            now = time.monotonic()
            if now - self._seen.get(mark, float("-inf")) < within:
                continue
            self._seen.pop(mark, None)
            try:
                async with self._inner.open(mark) as reader:
                    found = b"".join([chunk async for chunk in reader])
            except ObjectNotFound as error:
                raise StoreUnmarked(
                    f"its mark {mark} is missing: is a disk not mounted, was the store emptied?"
                ) from error
            if found != self._content:
                raise StoreUnmarked(f"its mark {mark} is another store's")
            self._seen[mark] = now


class _MarkedFiles(_MarkedStore):
    """Does so for a store of files, whose place may be taken by another disk at any moment."""

    _may_move = True

    def local_path(self, key: str) -> Path:
        """Return where the object's file is, if it exists; complete files only."""
        assert isinstance(self._inner, SupportsLocalPath)
        return self._inner.local_path(key)


def _kind(key: str) -> str:
    return key.partition("/")[0]
