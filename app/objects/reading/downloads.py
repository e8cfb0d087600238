"""Downloads: reading objects from the database or the store."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, ExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from io import BufferedReader, FileIO
from pathlib import Path
from typing import BinaryIO

import structlog

from app import metrics
from app.database import Database
from app.errors import NotFound, ObjectDamaged
from app.objects import lifecycle as objects
from app.objects.entities import Content
from app.objects.scratch import Scratch
from storage.base import ByteRange, ObjectReader, ObjectStore, SupportsLocalPath
from storage.errors import ObjectNotFound, StoreUnavailable

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class FilePart:
    """A part of a file of this host."""

    path: Path
    part: ByteRange


class Downloads:
    """Opens ready objects for reading."""

    def __init__(self, database: Database, store: ObjectStore, scratch: Scratch) -> None:
        self._database = database
        self._store = store
        self._scratch = scratch

    def files(self, content: Content, part: ByteRange) -> Sequence[FilePart] | None:
        """Return the files that hold a part of the content; None: no files of this host do."""
        if not content.stored or not isinstance(self._store, SupportsLocalPath):
            return None
        if content.excerpt is not None:
            return None
        locate = self._store.local_path
        return [FilePart(locate(key), within) for key, within in content.locate(part)]

    async def open_file(self, content: Content, path: Path) -> FileIO:
        """Open one of the content's files.

        Raises `NotFound` and `ObjectDamaged` as `open` does, and `StoreUnavailable`.
        """
        (file,) = await self.open_files([(content, path)])
        return file

    async def open_files(self, paths: Sequence[tuple[Content, Path]]) -> list[FileIO]:
        """Open some contents' files at once, all or none; raises as `open_file` does."""
        try:
            return await _opened([path for _, path in paths])
        except FileNotFoundError as error:
            missing = (content for content, path in paths if str(path) == str(error.filename))
            raise await self.missing(next(missing)) from error
        except OSError as error:  # a failing disk, or no descriptor left
            raise StoreUnavailable(f"a file can't be opened: {error.strerror}") from error

    @asynccontextmanager
    async def open(self, content: Content, part: ByteRange) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open a part of the content, as an iterator of bounded chunks.

        Raises `NotFound` if it has just been deleted, and `ObjectDamaged` if it is lost; once
        reading has begun, for what comes later in the content.
        """
        if content.data is not None:
            yield _once(content.data[part.start : part.stop])
            return
        pieces = list(content.pieces(part))
        located = [piece for piece in pieces if not isinstance(piece, bytes)]
        async with AsyncExitStack() as stack:
            first = await self._enter(stack, content, *located[0]) if located else None
            async with aclosing(self._chunks(stack, first, content, pieces)) as chunks:
                yield chunks

    async def _chunks(
        self,
        stack: AsyncExitStack,
        reader: ObjectReader | None,
        content: Content,
        pieces: Sequence[tuple[str, ByteRange] | bytes],
    ) -> AsyncGenerator[bytes, None]:
        """Yield pieces one after the other: a reader has the first that is stored.

        ``stack`` closes it, and those of the pieces that follow.
        """
        for piece in pieces:
            if isinstance(piece, bytes):
                yield piece
                continue
            if reader is None:
                reader = await self._enter(stack, content, *piece)
            async for chunk in reader:
                yield chunk
            await stack.aclose()
            reader = None

    async def _enter(
        self, stack: AsyncExitStack, content: Content, key: str, within: ByteRange
    ) -> ObjectReader:
        try:
            return await stack.enter_async_context(self._store.open(key, within))
        except ObjectNotFound as error:
            raise await self.missing(content) from error

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
            whole = ByteRange(0, content.size)
            files = self.files(content, whole) or ()
            if len(files) == 1:
                path = files[0].path
            else:
                chunks = await stack.enter_async_context(self.open(content, whole))
                path = await stack.enter_async_context(self._scratch.file(chunks))
            with await self.open_file(content, path) as file:
                yield BufferedReader(file)

    async def missing(self, content: Content) -> Exception:
        """Return the reason why an object isn't in the store.

        It has been deleted meanwhile, or the store is away, or the bytes are lost: an alarm.
        """
        if not await self._database.read(objects.exists, content.object_id):
            return NotFound()
        try:
            lost = await self._find_lost(content)
        except StoreUnavailable as error:
            return error
        if lost is None:
            return StoreUnavailable("a disk has come back just now")
        metrics.damaged_objects.inc()
        log.error("the bytes of a ready object are missing", key=lost)
        return ObjectDamaged(f"the bytes under {lost} are missing")

    async def _find_lost(self, content: Content) -> str | None:
        """Return the key of the first stored part that is missing; None: all are there."""
        for segment in content.stored:
            try:
                await self._store.stat(segment.key)
            except ObjectNotFound:
                return segment.key
        return None


async def _opened(paths: Sequence[Path]) -> list[FileIO]:
    opening = asyncio.ensure_future(asyncio.to_thread(_open_all, paths))
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_close)
        raise


def _open_all(paths: Sequence[Path]) -> list[FileIO]:
    with ExitStack() as stack:
        files = [stack.enter_context(FileIO(path)) for path in paths]
        stack.pop_all()
        return files


def _close(opening: asyncio.Future[list[FileIO]]) -> None:
    if opening.exception() is None:
        for file in opening.result():
            file.close()


async def _once(data: bytes) -> AsyncIterator[bytes]:
    if data:
        yield data
