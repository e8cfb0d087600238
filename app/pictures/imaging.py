"""Pictures decoded in child processes; a child that fails is a problem with the picture."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import BinaryIO, Final, TypeVar, TypeVarTuple

from app.errors import InvalidRequest
from app.objects.entities import Content
from app.objects.reading.downloads import Downloads
from app.pictures import child_calls
from app.pictures.formats import Facts, ThumbnailFormat
from app.processes.pool import ChildFailed, ChildPool

CHILD_MODULES: Final = ("app.pictures.child_calls", "app.pictures.decoding")
"""The modules that child processes import."""

DECODING_SECONDS: Final = 30.0
"""How long a picture may take in a child; one of 100 MP takes a tenth of it."""

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Imaging:
    """Decodes pictures of up to ``max_pixels`` in child processes."""

    def __init__(self, downloads: Downloads, decoders: ChildPool, *, max_pixels: int) -> None:
        self._downloads = downloads
        self._decoders = decoders
        self._max_pixels = max_pixels

    async def examine(self, content: Content) -> Facts:
        """Return a picture's format and size; see `decoding.examine`."""
        async with self._source(content) as source:
            return await self._run(child_calls.examine, source, self._max_pixels)

    async def thumbnail(
        self, content: Content, height: int, image_format: ThumbnailFormat
    ) -> bytes:
        """Return a thumbnail of a picture; see `decoding.thumbnail`."""
        async with self._source(content) as source:
            return await self._run(
                child_calls.thumbnail, source, height, image_format, self._max_pixels
            )

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
