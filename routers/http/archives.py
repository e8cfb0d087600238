"""Downloads of several contents as one ZIP: conditions and ranges as of any other."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, closing
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Final

from fastapi import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.archives.archive import Archive
from app.archives.use_cases import Piece
from app.objects.entities import Content
from app.objects.reading.downloads import Downloads, FilePart
from app.runtime import Runtime
from routers.connection.exchanges import SEND_FILE
from routers.http.downloads import (
    DownloadHeaders,
    asked_part,
    download_headers,
    send_chunk,
    send_file,
    start_of,
    watched,
)

ZIP = "application/zip"


async def send_archive(
    request: Request,
    runtime: Runtime,
    make: Callable[[], Awaitable[Archive]],
    described: DownloadHeaders,
) -> Response:
    """Answer GET or HEAD with an archive: 200, 206, 304, 412 or 416.

    ``make`` finds out what is in it when that is held already, so that nothing of it is deleted
    while it is sent. Raises its errors, and those of the archive's beginning.
    """
    async with AsyncExitStack() as stack:
        if request.method != "HEAD":
            await stack.enter_async_context(runtime.archives.holding())
        archive = await make()
        headers = download_headers(archive.sha256, archive.modified_at, described)
        asked = asked_part(request, archive, headers)
        if isinstance(asked, Response):
            return asked
        part, status = asked
        pieces = runtime.archives.pieces(archive, part)
        await stack.enter_async_context(aclosing(pieces))
        first = await anext(pieces)
        return _ArchiveContent(
            first, pieces, runtime.downloads, stack.pop_all(), status=status, headers=headers
        )


_AT_ONCE: Final = 16  # pieces that are made ready together
_ENOUGH: Final = 16 * 1024 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class _Ready:
    """A piece that can be sent at once: the first of the files that it needs is open."""

    piece: Piece
    files: Sequence[FilePart]
    first: FileIO | None


class _Batch(list[_Ready]):
    """Pieces that are ready; there may be none left."""

    def close(self) -> None:
        for ready in self:
            if ready.first is not None:
                ready.first.close()


class _ArchiveContent(Response):
    """An archive piece by piece; owns the generator of these, and what holds their bytes.

    While some are sent, the next ones are made ready.
    """

    def __init__(
        self,
        first: Piece,
        following: AsyncGenerator[Piece, None],
        downloads: Downloads,
        opened: AsyncExitStack,
        *,
        status: int,
        headers: dict[str, str],
    ) -> None:
        self.status_code = status
        self.background = None
        self.init_headers(headers)
        self._first: Piece | None = first
        self._following = following
        self._downloads = downloads
        self._opened = opened
        self._sends_files = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._sends_files = SEND_FILE in scope.get("extensions", {})
        async with watched(receive) as gone, self._opened:
            await send(start_of(self))
            await self._send_all(send, gone)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_all(self, send: Send, gone: asyncio.Task[None]) -> None:
        preparing = asyncio.create_task(self._prepare())
        try:
            while batch := await preparing:
                preparing = asyncio.create_task(self._prepare())
                with closing(batch):
                    for ready in batch:
                        await self._send_piece(send, gone, ready)
        finally:
            preparing.cancel()
            for left in await asyncio.gather(preparing, return_exceptions=True):
                if isinstance(left, _Batch):
                    left.close()

    async def _prepare(self) -> _Batch:
        """Make the next pieces ready; their files are opened together, which is faster."""
        pieces = [piece async for piece in self._next()]
        files: list[Sequence[FilePart]] = []
        paths: list[tuple[Content, Path]] = []
        for piece in pieces:
            part = piece.following if self._sends_files else None
            found = None if part is None else self._downloads.files(part.content, part.part)
            files.append(found or ())
            if part is not None and found:
                paths.append((part.content, found[0].path))
        opened = iter(await self._downloads.open_files(paths) if paths else ())
        return _Batch(
            _Ready(piece, found, next(opened) if found else None)
            for piece, found in zip(pieces, files, strict=True)
        )

    async def _next(self) -> AsyncIterator[Piece]:
        """Yield as many of the next pieces as are made ready together."""
        size = 0
        for _ in range(_AT_ONCE):
            piece, self._first = self._first or await anext(self._following, None), None
            if piece is None:
                return
            yield piece
            size += 0 if piece.following is None else piece.following.part.length
            if size >= _ENOUGH:
                return

    async def _send_piece(self, send: Send, gone: asyncio.Task[None], ready: _Ready) -> None:
        data, part = ready.piece.data, ready.piece.following
        if data:
            await send_chunk(send, gone, data)
        if part is None:
            return
        if ready.first is not None:
            await self._send_files(send, part.content, ready.first, ready.files)
            return
        async with self._downloads.open(part.content, part.part) as chunks:
            async for chunk in chunks:
                await send_chunk(send, gone, chunk)

    async def _send_files(
        self, send: Send, content: Content, first: FileIO, files: Sequence[FilePart]
    ) -> None:
        await send_file(send, first, files[0].part, follows=True)
        for part in files[1:]:
            with await self._downloads.open_file(content, part.path) as file:
                await send_file(send, file, part.part, follows=True)
