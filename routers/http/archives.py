"""Downloads of several contents as one ZIP: conditions and ranges as of any other."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing

from fastapi import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app.archives.archive import Archive
from app.archives.use_cases import ContentPart, Piece
from app.objects.downloads import Downloads
from app.runtime import Runtime
from routers.connection.exchanges import SEND_FILE
from routers.http.bodies import IDLE_TIMEOUT, ClientDisconnected, disconnected
from routers.http.downloads import (
    DownloadHeaders,
    asked_part,
    download_headers,
    file_pieces,
    start_of,
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
        headers = download_headers(archive, described)
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


class _ArchiveContent(Response):
    """An archive piece by piece; owns the generator of these, and what holds their bytes."""

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
        self._first = first
        self._following = following
        self._downloads = downloads
        self._opened = opened
        self._sends_files = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._sends_files = SEND_FILE in scope.get("extensions", {})
        gone = asyncio.create_task(disconnected(receive))
        try:
            async with self._opened:
                await send(start_of(self))
                await self._send_piece(send, gone, self._first)
                async for piece in self._following:
                    await self._send_piece(send, gone, piece)
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)

    async def _send_piece(self, send: Send, gone: asyncio.Task[None], piece: Piece) -> None:
        if isinstance(piece, bytes):
            await _send_bytes(send, gone, piece)
        elif not self._sends_files or not await self._send_files(send, piece):
            async with self._downloads.open(piece.content, piece.part) as chunks:
                async for chunk in chunks:
                    await _send_bytes(send, gone, chunk)

    async def _send_files(self, send: Send, piece: ContentPart) -> bool:
        """Let the kernel send a content's files; returns whether they are on this host."""
        files = self._downloads.files(piece.content, piece.part)
        if files is None:
            return False
        try:
            for part in files:
                with await self._downloads.open_file(piece.content, part.path) as file:
                    for start, stop, _ in file_pieces(part.part):
                        span = {"file": file, "offset": start, "count": stop - start}
                        await send({"type": SEND_FILE, **span, "more_body": True})
        except ConnectionError:
            raise ClientDisconnected from None
        return True


async def _send_bytes(send: Send, gone: asyncio.Task[None], data: bytes) -> None:
    if gone.done():
        raise ClientDisconnected
    try:
        async with asyncio.timeout(IDLE_TIMEOUT):
            await send({"type": "http.response.body", "body": data, "more_body": True})
    except TimeoutError:
        raise ClientDisconnected from None
