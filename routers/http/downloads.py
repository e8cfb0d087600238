"""Downloads: conditions, ranges, headers, and the bytes by the fastest way available."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from io import FileIO
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from fastapi import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from app import clock
from app.objects.entities import Content
from app.objects.reading.downloads import FilePart
from app.runtime import Runtime
from routers.connection.exchanges import SEND_FILE
from routers.http import ranges
from routers.http.bodies import IDLE_TIMEOUT, ClientDisconnected, disconnected
from routers.http.headers import content_disposition, inline_type, repr_digest
from storage.base import ByteRange

PRIVATE = "private, no-cache"
_REMEMBERED: Final = 4096  # headers of contents, which take longer to make than a small one to read
_PIECE: Final = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class DownloadHeaders:
    """What the headers of a download say of its content, and of who may cache it."""

    filename: str | None
    content_type: str
    cache_control: str = PRIVATE
    extra: tuple[tuple[str, str], ...] = ()
    """Further headers, the resource's own."""


async def send_content(
    request: Request,
    runtime: Runtime,
    content: Content,
    described: DownloadHeaders,
    *,
    inline: bool = False,
) -> Response:
    """Answer GET or HEAD with content: 200, 206, 304, 412 or 416.

    Raises all errors of finding the bytes here, before any header is sent.
    """
    digest = content.sha256 if content.excerpt is None else None
    what = _Described(
        content.sha256, digest, content.modified_at, content.encoding, described, inline
    )
    if content.data is not None and request.method == "GET" and not ranges.are_asked(request):
        return SmallContent(content.data, _raw_headers(what))
    headers = dict(_headers(what))
    asked = asked_part(request, content, headers)
    if isinstance(asked, Response):
        return asked
    part, status = asked
    if content.data is not None:
        return Response(content.data[part.start : part.stop], status, headers)
    return await _opened(request, runtime, content, part, status, headers)


class Selected(Protocol):
    """What conditions and ranges are about."""

    @property
    def size(self) -> int: ...

    @property
    def sha256(self) -> bytes: ...

    @property
    def modified_at(self) -> int | None: ...


def asked_part(
    request: Request, selected: Selected, headers: dict[str, str]
) -> tuple[ByteRange, int] | Response:
    """Return the part that a request is answered with, and the status; its headers are added.

    If there is no body to send, it is the whole answer: of a HEAD, or a 304.
    """
    sha256, modified_at = selected.sha256, selected.modified_at
    if ranges.is_unmodified(request.headers, sha256, modified_at):
        for name in ("Content-Type", "Content-Disposition", "Content-Encoding"):
            headers.pop(name, None)
        return Response(status_code=304, headers=headers)
    part, status = ByteRange(0, selected.size), 200
    if_range = request.headers.get("if-range")
    if request.method == "GET" and ranges.range_applies(if_range, sha256, modified_at, clock.now()):
        asked = ranges.parse_range(request.headers.get("range"), selected.size)
        if asked is not None:
            part, status = asked, 206
            headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{selected.size}"
    headers["Content-Length"] = str(part.length)
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    return part, status


class _Described(NamedTuple):
    """All that the headers of a content depend on."""

    sha256: bytes
    digest: bytes | None
    """Of the bytes that are sent, if it is known."""
    modified_at: int
    encoding: str | None
    described: DownloadHeaders
    inline: bool


@lru_cache(maxsize=_REMEMBERED)
def _raw_headers(what: _Described) -> list[tuple[bytes, bytes]]:
    return [
        (name.lower().encode(), value.encode("latin-1")) for name, value in _headers(what).items()
    ]


@lru_cache(maxsize=_REMEMBERED)
def _headers(what: _Described) -> Mapping[str, str]:
    coded = {} if what.encoding is None else {"Content-Encoding": what.encoding}
    digest = {} if what.digest is None else {"Repr-Digest": repr_digest(what.digest)}
    common = download_headers(what.sha256, what.modified_at, what.described, inline=what.inline)
    return coded | digest | common


def download_headers(
    sha256: bytes, modified_at: int | None, described: DownloadHeaders, *, inline: bool = False
) -> dict[str, str]:
    """Return the headers that all downloads have."""
    shown = inline_type(described.content_type) if inline else None
    modified = {} if modified_at is None else {"Last-Modified": ranges.http_date(modified_at)}
    return modified | {
        "Content-Type": shown or described.content_type,
        "Content-Disposition": content_disposition(described.filename, inline=shown is not None),
        "ETag": ranges.etag(sha256),
        "Accept-Ranges": "bytes",
        "Cache-Control": described.cache_control,
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox",
        **dict(described.extra),
    }


async def _opened(
    request: Request,
    runtime: Runtime,
    content: Content,
    part: ByteRange,
    status: int,
    headers: dict[str, str],
) -> Response:
    if SEND_FILE in request.scope.get("extensions", {}):
        files = runtime.downloads.files(content, part)
        if files:
            open_file = partial(runtime.downloads.open_file, content)
            first = await open_file(files[0].path)
            return FileContent(first, files, open_file, status, headers)
    async with AsyncExitStack() as stack:
        chunks = await stack.enter_async_context(runtime.downloads.open(content, part))
        return StreamedContent(chunks, stack.pop_all(), status, headers)


class SmallContent(Response):
    """The whole of an object that is in memory."""

    def __init__(self, data: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        self.status_code = 200
        self.background = None
        self.body = data
        self.raw_headers = [*headers, (b"content-length", b"%d" % len(data))]


OpenFile = Callable[[Path], Awaitable[FileIO]]


class FileContent(Response):
    """Content in files, sent by the kernel one after the other; owns the first, which is open."""

    def __init__(
        self,
        first: FileIO,
        files: Sequence[FilePart],
        open_file: OpenFile,
        status: int,
        headers: dict[str, str],
    ) -> None:
        self.status_code = status
        self.background = None
        self.init_headers(headers)
        self._first = first
        self._files = files
        self._open_file = open_file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        with self._first as file:
            await send(start_of(self))
            await self._send(send, file, 0)
        for number in range(1, len(self._files)):
            with await self._open_file(self._files[number].path) as file:
                await self._send(send, file, number)

    async def _send(self, send: Send, file: FileIO, number: int) -> None:
        follows = number + 1 < len(self._files)
        await send_file(send, file, self._files[number].part, follows=follows)


async def send_file(send: Send, file: FileIO, part: ByteRange, *, follows: bool) -> None:
    """Let the kernel send a part of a file, after which more of the body ``follows`` or not.

    It goes in pieces, so that what has gone out is counted. Raises `ClientDisconnected`.
    """
    starts = range(part.start, part.stop, _PIECE)
    try:
        for start in starts:
            piece = {"file": file, "offset": start, "count": min(start + _PIECE, part.stop) - start}
            more = follows or start != starts[-1]
            await send({"type": SEND_FILE, **piece, "more_body": more})
    except ConnectionError:
        raise ClientDisconnected from None


@asynccontextmanager
async def watched(receive: Receive) -> AsyncIterator[asyncio.Task[None]]:
    """Run a task within the context that ends when the client has gone."""
    gone = asyncio.create_task(disconnected(receive))
    try:
        yield gone
    finally:
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)


async def send_chunk(send: Send, gone: asyncio.Task[None], chunk: bytes) -> None:
    """Send a chunk of a body; raises `ClientDisconnected`, also for a client who takes too long."""
    if gone.done():
        raise ClientDisconnected
    try:
        async with asyncio.timeout(IDLE_TIMEOUT):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    except TimeoutError:
        raise ClientDisconnected from None


class StreamedContent(Response):
    """Content that a store streams; owns the open reader."""

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        opened: AsyncExitStack,
        status: int,
        headers: dict[str, str],
    ) -> None:
        self.status_code = status
        self.background = None
        self.init_headers(headers)
        self._chunks = chunks
        self._opened = opened

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with watched(receive) as gone, self._opened:
            await send(start_of(self))
            if scope["method"] != "HEAD":
                async for chunk in self._chunks:
                    await send_chunk(send, gone, chunk)
            await send({"type": "http.response.body", "body": b"", "more_body": False})


def start_of(response: Response) -> dict[str, object]:
    """Return the message that begins a response."""
    return {
        "type": "http.response.start",
        "status": response.status_code,
        "headers": response.raw_headers,
    }
