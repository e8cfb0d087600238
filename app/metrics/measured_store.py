"""A store whose operations are counted and timed, by its verbs."""

import time
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from app import metrics
from storage.base import ByteRange, ObjectInfo, ObjectReader, ObjectStore, SupportsLocalPath
from storage.errors import StorageError


def measured(store: ObjectStore, name: str) -> ObjectStore:
    """Make a store that does what ``store`` does, and is measured under ``name``."""
    if isinstance(store, SupportsLocalPath):
        return _MeasuredFiles(store, name)
    return _MeasuredStore(store, name)


class _MeasuredStore(ObjectStore):
    """Passes everything to another store. Opening is timed, what readers do with it is not."""

    def __init__(self, inner: ObjectStore, name: str) -> None:
        self._inner = inner
        self._name = name

    @property
    def late(self) -> float:
        return self._inner.late

    async def put(
        self, key: str, body: AsyncIterable[bytes | memoryview], *, size: int | None
    ) -> None:
        with self._timed("put"):
            await self._inner.put(key, body, size=size)

    @asynccontextmanager
    async def open(
        self, key: str, byte_range: ByteRange | None = None
    ) -> AsyncIterator[ObjectReader]:
        async with AsyncExitStack() as stack:
            with self._timed("open"):
                reader = await stack.enter_async_context(self._inner.open(key, byte_range))
            yield reader

    async def stat(self, key: str) -> ObjectInfo:
        with self._timed("stat"):
            return await self._inner.stat(key)

    async def delete(self, keys: Sequence[str]) -> None:
        with self._timed("delete"):
            await self._inner.delete(keys)

    async def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        with self._timed("list"):
            async for info in self._inner.list(prefix):
                yield info

    async def unfinished(self) -> AsyncIterator[ObjectInfo]:
        with self._timed("unfinished"):
            async for info in self._inner.unfinished():
                yield info

    async def ping(self) -> None:
        with self._timed("ping"):
            await self._inner.ping()

    async def aclose(self) -> None:
        await self._inner.aclose()

    @contextmanager
    def _timed(self, verb: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        except StorageError as error:  # others are the body's own, or the caller's leaving
            metrics.store_errors.labels(self._name, verb, type(error).__name__).value += 1
            raise
        finally:
            seconds = time.perf_counter() - started
            metrics.store_seconds.labels(self._name, verb).observe(seconds)


class _MeasuredFiles(_MeasuredStore):
    """Does so for a store of files, which the kernel sends."""

    def local_path(self, key: str) -> Path:
        """Return where the object's file is, if it exists; complete files only."""
        assert isinstance(self._inner, SupportsLocalPath)
        return self._inner.local_path(key)
