"""CRC-32s of objects that were stored without one, read when an archive first needs them."""

import asyncio
import zlib
from contextlib import suppress
from typing import Final

import structlog
from sqlalchemy import Connection, select, update

from app import metrics
from app.database import Database, DatabaseFull, DatabaseUnavailable, Patience
from app.errors import ObjectDamaged
from app.objects.digests import Hashing
from app.objects.entities import Content
from app.objects.reading.downloads import Downloads
from app.objects.tables import objects
from storage.base import ByteRange

_IN_LOOP: Final = 64 * 1024  # bytes hashed in the event loop; a thread hashes what is more

log = structlog.get_logger(__name__)


class Checksums:
    """Finds the CRC-32 of any content; what it had to read for that, it stores."""

    def __init__(self, database: Database, downloads: Downloads) -> None:
        self._database = database
        self._downloads = downloads
        self._running: dict[int, asyncio.Task[int]] = {}

    async def crc32(self, content: Content) -> int:
        """Return the CRC-32 of content, of which nobody reads the same at the same time.

        That of bytes that are in memory isn't stored: they are read for each archive anyhow. Nor is
        that of an excerpt, of which there may be several.
        Raises as `Downloads.open` does, and `ObjectDamaged` if these aren't the bytes that came.
        """
        if content.crc32 is not None:
            return content.crc32
        if content.excerpt is not None and content.data is None:
            return (await self._hashed(content)).crc32
        if not content.stored:
            return zlib.crc32(content.data or b"")
        running = self._running.get(content.object_id)
        if running is None:
            running = asyncio.create_task(self._compute(content))
            self._running[content.object_id] = running
            running.add_done_callback(lambda _: self._running.pop(content.object_id))
        return await asyncio.shield(running)  # others may wait for it, too

    async def aclose(self) -> None:
        """Stop reading."""
        running = [*self._running.values()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _compute(self, content: Content) -> int:
        with Patience():
            known = await self._database.read(find, content.object_id)
        if known is not None:  # since the content was listed
            return known
        hashing = await self._hashed(content)
        if hashing.sha256() != content.sha256:
            metrics.damaged_objects.inc()
            keys = [segment.key for segment in content.stored]
            log.error("the bytes of a ready object have changed", keys=keys)
            raise ObjectDamaged(f"the bytes under {keys} have changed")
        # without the database, it is read again the next time
        with Patience(), suppress(DatabaseUnavailable, DatabaseFull):
            await self._database.write(store, content.object_id, hashing.crc32)
        return hashing.crc32

    async def _hashed(self, content: Content) -> Hashing:
        hashing = Hashing()
        async with self._downloads.open(content, ByteRange(0, content.size)) as chunks:
            async for chunk in chunks:
                if len(chunk) <= _IN_LOOP:
                    hashing.update(chunk)
                else:
                    await asyncio.to_thread(hashing.update, chunk)
        return hashing


def find(connection: Connection, object_id: int) -> int | None:
    """Return the CRC-32 of an object, if it is there and has one."""
    query = select(objects.c.crc32).where(objects.c.id == object_id)
    found: int | None = connection.execute(query).scalar()
    return found


def store(connection: Connection, object_id: int, crc32: int) -> None:
    """Store the CRC-32 of an object, if it is still there."""
    connection.execute(update(objects).where(objects.c.id == object_id).values(crc32=crc32))
