"""Archives: ZIPs of known length, made while they are sent, of contents that stay meanwhile."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

from app import clock
from app.archives.archive import Archive, Entry
from app.archives.checksums import Checksums
from app.archives.small import SmallContents
from app.database import Database
from app.objects import holds
from app.objects.entities import Content
from app.objects.reading.downloads import Downloads
from storage.base import ByteRange

_AT_ONCE: Final = 100  # entries laid out in the event loop; a thread does what is more
KEEPS: Final = 60 * clock.MINUTE
"""For how long deleted bytes are kept for downloads at most, so that nobody can fill the disk by
downloading slowly."""

_CHUNK: Final = 64 * 1024  # bytes that are gathered before they are sent


@dataclass(frozen=True, slots=True)
class ContentPart:
    """A part of a content that a store has."""

    content: Content
    part: ByteRange


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of an archive: some bytes, and then, if anything, a part of a content."""

    data: bytes
    following: ContentPart | None = None


async def lay_out(entries: Sequence[Entry], modified_at: int | None = None) -> Archive:
    """Return an archive of entries in their order; ``modified_at``: when they last changed.

    None: that isn't known, as of any that could have been removed.
    """
    if len(entries) <= _AT_ONCE:
        return Archive(entries, modified_at)
    return await asyncio.to_thread(Archive, entries, modified_at)


class Archives:
    """Makes archives, without temporary files, in memory that doesn't grow with what is sent."""

    def __init__(
        self, database: Database, downloads: Downloads, *, wake_sweep: Callable[[], None]
    ) -> None:
        self._database = database
        self._checksums = Checksums(database, downloads)
        self._wake_sweep = wake_sweep

    @asynccontextmanager
    async def holding(self) -> AsyncIterator[None]:
        """Keep what is read from the database within the context, for `KEEPS` after it is due.

        Whoever sends an archive finds out within it what is in it.
        """
        try:
            async with holds.holding(self._database, KEEPS):
                yield
        finally:
            self._wake_sweep()

    async def pieces(self, archive: Archive, part: ByteRange) -> AsyncGenerator[Piece, None]:
        """Yield a part of an archive; reads nothing of members that aren't in it.

        Raises `NotFound` for a small member that has been deleted before its turn, and what
        finding the CRC-32 of an old one does.
        """
        gathered = bytearray()
        members = archive.members_in(part)
        small = SmallContents(self._database, archive.contents)
        if members:
            await small.read_from(members.start)
        for number in members:
            if archive.has_header_in(number, part):
                crc32 = await self._crc32(archive, small, number)
                gathered += archive.header(number, crc32, part)
            within = archive.within(number, part)
            if within.length:
                content = await small.filled(number)
                if content.data is not None:
                    gathered += content.data[within.start : within.stop]
                else:
                    yield Piece(bytes(gathered), ContentPart(content, within))
                    gathered.clear()
            if len(gathered) >= _CHUNK:
                yield Piece(bytes(gathered))
                gathered.clear()
        for number in archive.entries_in(part):
            crc32 = await self._crc32(archive, small, number)
            gathered += archive.entry(number, crc32, part)
            if len(gathered) >= _CHUNK:
                yield Piece(bytes(gathered))
                gathered.clear()
                await asyncio.sleep(0)
        gathered += archive.end(part)
        if gathered:
            yield Piece(bytes(gathered))

    async def aclose(self) -> None:
        """Stop what runs beside the archives."""
        await self._checksums.aclose()

    async def _crc32(self, archive: Archive, small: SmallContents, number: int) -> int:
        """Return the CRC-32 of a member; one that is found now is noted for the directory."""
        content = archive.contents[number]
        if content.crc32 is not None:
            return content.crc32
        crc32 = await self._checksums.crc32(await small.filled(number))
        archive.contents[number] = replace(content, crc32=crc32)
        return crc32
