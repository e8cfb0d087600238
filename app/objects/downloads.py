"""Downloads: reading objects from the database or the store."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

import structlog

from app import metrics
from app.database import Database
from app.errors import NotFound, ObjectDamaged
from app.objects import lifecycle as objects
from app.objects.entities import Content
from app.objects.scratch import Scratch
from storage.base import ByteRange, ObjectStore, SupportsLocalPath
from storage.errors import ObjectNotFound, StoreUnavailable

log = structlog.get_logger(__name__)


class Downloads:
    """Opens ready objects for reading."""

    def __init__(self, database: Database, store: ObjectStore, scratch: Scratch) -> None:
        self._database = database
        self._store = store
        self._scratch = scratch

    def path(self, content: Content) -> Path | None:
        """Return the content's file if the store keeps it on this host."""
        if content.key is None or not isinstance(self._store, SupportsLocalPath):
            return None
        return self._store.local_path(content.key)

    @asynccontextmanager
    async def open(self, content: Content, part: ByteRange) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a part of the content, as an iterator of bounded chunks.

        Raises `NotFound` if it has just been deleted, and `ObjectDamaged` if it is lost.
        """
        if content.data is not None:
            yield _once(content.data[part.start : part.stop])
            return
        if content.key is None or part.length == 0:
            yield _once(b"")
            return
        async with AsyncExitStack() as stack:
            try:
                reader = await stack.enter_async_context(self._store.open(content.key, part))
            except ObjectNotFound as error:
                raise await self.missing(content) from error
            yield aiter(reader)

    async def read(self, content: Content) -> bytes:
        """Return the whole content, whose size the caller must have limited."""
        if content.data is not None:
            return content.data
        async with self.open(content, ByteRange(0, content.size)) as chunks:
            return b"".join([chunk async for chunk in chunks])

    @asynccontextmanager
    async def local_file(self, content: Content) -> AsyncIterator[BinaryIO]:
        """Open a local file of the content: the object's own, or a temporary copy.

        Raises as `open` does, and `StoreFull` where there is no room for a copy.
        """
        async with AsyncExitStack() as stack:
            path = self.path(content)
            if path is None:
                chunks = await stack.enter_async_context(
                    self.open(content, ByteRange(0, content.size))
                )
                path = await stack.enter_async_context(self._scratch.file(chunks))
            try:
                file = await _opened(path)
            except FileNotFoundError as error:
                raise await self.missing(content) from error
            with file:
                yield file

    async def missing(self, content: Content) -> Exception:
        """Return the reason why an object isn't in the store.

        It has been deleted meanwhile, or the store is away, or the bytes are lost: an alarm.
        """
        if content.key is None or not await self._database.read(objects.exists, content.object_id):
            return NotFound()
        try:
            await self._store.stat(content.key)
        except ObjectNotFound:
            pass
        except StoreUnavailable as error:
            return error
        else:
            return StoreUnavailable("a disk has come back just now")
        metrics.damaged_objects.inc()
        log.error("the bytes of a ready object are missing", key=content.key)
        return ObjectDamaged(f"the bytes under {content.key} are missing")


async def _opened(path: Path) -> BinaryIO:
    opening = asyncio.ensure_future(asyncio.to_thread(path.open, "rb"))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close)
        raise


def _close(opening: "asyncio.Future[BufferedReader]") -> None:
    if opening.exception() is None:
        opening.result().close()


async def _once(data: bytes) -> AsyncIterator[bytes]:
    if data:
        yield data
