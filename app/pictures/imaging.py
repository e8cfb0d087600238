"""Pictures to child processes and back: whatever a picture does there, the answer is a problem."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import BinaryIO, TypeVar, TypeVarTuple

from app.errors import InvalidRequest
from app.objects.downloads import Downloads
from app.objects.lifecycle import Content
from app.pictures import formats as images
from app.pictures.formats import Facts, Kind
from app.processes.pool import ChildFailed, ChildPool

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Imaging:
    """Reads pictures in child processes; none may have more than ``max_pixels``."""

    def __init__(self, downloads: Downloads, decoders: ChildPool, *, max_pixels: int) -> None:
        self._downloads = downloads
        self._decoders = decoders
        self._max_pixels = max_pixels

    async def examine(self, content: Content) -> Facts:
        """Find out what a picture is, and whether it is whole, see `images.examine`."""
        async with self._source(content) as source:
            return await self._run(images.examine, source, self._max_pixels)

    async def thumbnail(self, content: Content, height: int, kind: Kind) -> bytes:
        """Make a thumbnail of a picture, see `images.thumbnail`."""
        async with self._source(content) as source:
            return await self._run(images.thumbnail, source, height, kind, self._max_pixels)

    async def _run(self, fn: Callable[[*Ts], T], *args: *Ts) -> T:
        try:
            return await self._decoders.run(fn, *args)
        except ChildFailed as error:
            raise InvalidRequest(f"The picture can't be decoded: {error.reason}") from error

    @asynccontextmanager
    async def _source(self, content: Content) -> AsyncIterator[BinaryIO | bytes]:
        if content.data is not None:
            yield content.data
            return
        async with self._downloads.local_file(content) as file:
            yield file
