"""Files of objects that are kept at hand on this host, up to a bound, the least used first to go.

Where objects are files of this host already, nothing is kept.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

import structlog

from app.objects.entities import Content
from app.objects.reading.downloads import Downloads
from app.objects.scratch import Scratch
from storage.base import ByteRange

_PART: Final = ".part"

log = structlog.get_logger(__name__)


class CachedFiles:
    """Opens objects as files, of which copies stay in a folder; several processes may share it."""

    def __init__(
        self, downloads: Downloads, scratch: Scratch, folder: Path, *, max_bytes: int
    ) -> None:
        self._downloads = downloads
        self._scratch = scratch
        self._folder = folder
        self._max_bytes = max_bytes

    @asynccontextmanager
    async def open_all(self, contents: Sequence[Content]) -> AsyncIterator[list[BinaryIO]]:
        """Open objects at once; raises as `Downloads.local_file` does."""
        async with AsyncExitStack() as stack:
            yield [await stack.enter_async_context(self._open(each)) for each in contents]

    @asynccontextmanager
    async def _open(self, content: Content) -> AsyncGenerator[BinaryIO, None]:
        is_here = self._downloads.files(content, ByteRange(0, content.size)) is not None
        if is_here or content.data is not None or content.size > self._max_bytes:
            async with self._downloads.local_file(content) as own:
                yield own
            return
        path = self._folder / content.sha256.hex()
        file: BinaryIO | None = await asyncio.to_thread(_opened, path)
        if file is None:
            await self._fetch(content, path)
            file = await asyncio.to_thread(_opened, path)
        if file is None:  # another process needed the room
            async with self._downloads.local_file(content) as copy:
                yield copy
            return
        with file:
            yield file

    async def _fetch(self, content: Content, path: Path) -> None:
        whole = ByteRange(0, content.size)
        async with (
            self._downloads.open(content, whole) as chunks,
            self._scratch.file(chunks) as copied,
        ):
            await asyncio.to_thread(_keep, copied, path, self._max_bytes)


def _opened(path: Path) -> BinaryIO | None:
    """Open a file, which counts as used; None: there is none."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return None
    with suppress(OSError):
        os.utime(path)
    return file


def _keep(copied: Path, path: Path, max_bytes: int) -> None:
    """Move a file into its folder, and remove others until all have their room."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    copied.rename(path)
    files = [(entry.stat(), entry) for entry in os.scandir(path.parent) if entry.is_file()]
    files.sort(key=lambda each: each[0].st_mtime, reverse=True)
    total = 0
    for stat, entry in files:
        total += stat.st_size
        if total > max_bytes:
            with suppress(FileNotFoundError):
                Path(entry.path).unlink()
