"""Bodies in: as a stream with what its headers announce, or whole where it is bounded JSON."""

import asyncio
import base64
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import Request
from starlette.types import Receive

from app import metrics
from app.errors import BadRequest, ContentTooLarge, DigestMismatch, RequestTimeout
from app.services.memory import MemoryRoom
from app.services.uploads import Body

IDLE_TIMEOUT: Final = 60.0
"""Seconds that a client may send nothing, or take nothing, before it counts as gone."""

_JSON_TIMEOUT: Final = 60.0  # for a whole JSON body
_DIGEST: Final = re.compile(r"(?:^|,)\s*sha-256\s*=\s*:?([^,;:\s]*)", re.IGNORECASE)


class ClientDisconnected(Exception):
    """The client is gone: nobody is there to be answered."""


def body_of(request: Request) -> Body:
    """Return the request's body as a stream, with its announced size and digest.

    A raw body's Content-Digest and Repr-Digest (RFC 9530) are the same thing.
    """
    digests = {
        digest
        for name in ("content-digest", "repr-digest")
        if (digest := announced_digest(request, name)) is not None
    }
    if len(digests) > 1:
        raise BadRequest("Content-Digest and Repr-Digest differ")
    return Body(stream(request), content_length(request), next(iter(digests), None))


def content_length(request: Request) -> int | None:
    """Return the announced length of the body; the server has made sure that it is a number."""
    header = request.headers.get("content-length")
    return None if header is None else int(header)


def announced_digest(request: Request, name: str) -> bytes | None:
    """Return the SHA-256 in a digest header; other algorithms are ignored, as RFC 9530 says."""
    found = _DIGEST.findall(",".join(request.headers.getlist(name)))
    if not found:
        return None
    try:
        digest = base64.b64decode(found[-1], validate=True)  # the last one counts (RFC 9651 §4.2)
    except ValueError:
        digest = b""
    if len(digest) != hashlib.sha256().digest_size:
        raise BadRequest(f"{name.title()} holds no SHA-256, which looks like sha-256=:base64:")
    return digest


async def stream(request: Request) -> AsyncIterator[bytes]:
    """Yield the body as it arrives.

    Raises `RequestTimeout` when nothing comes for long, and `ClientDisconnected`.
    """
    receive = request.receive
    while True:
        try:
            async with asyncio.timeout(IDLE_TIMEOUT):
                message = await receive()
        except TimeoutError:
            raise RequestTimeout from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        body = message.get("body", b"")
        if body:
            metrics.bytes_in.inc(len(body))
            yield body
        if not message.get("more_body", False):
            return


async def disconnected(receive: Receive) -> None:
    """Return when the client is gone; what it still sends is dropped."""
    while (await receive())["type"] != "http.disconnect":
        pass


@asynccontextmanager
async def read_json(request: Request, limit: int, room: MemoryRoom) -> AsyncIterator[bytes]:
    """Read a JSON body of up to ``limit`` bytes, once there is room, and keep that in the context.

    Raises `ContentTooLarge`, as soon as it is known, `DigestMismatch` and `RequestTimeout`.
    """
    length = content_length(request)
    if length is not None and length > limit:
        raise _too_large(limit)
    announced = announced_digest(request, "content-digest")
    async with room.hold(limit if length is None else length):
        try:
            async with asyncio.timeout(_JSON_TIMEOUT):
                body = await _collect(request, limit)
        except TimeoutError:
            raise RequestTimeout from None
        if announced is not None:
            digest = await asyncio.to_thread(hashlib.sha256, body)
            if digest.digest() != announced:
                raise DigestMismatch
        yield body


async def read_small(request: Request, limit: int) -> bytes:
    """Return a body of up to ``limit`` bytes, few enough to be held for anybody.

    Raises `ContentTooLarge`, as soon as it is known, and `RequestTimeout`.
    """
    length = content_length(request)
    if length is not None and length > limit:
        raise _too_large(limit)
    return await _collect(request, limit)


async def _collect(request: Request, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in stream(request):
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large(limit: int) -> ContentTooLarge:
    return ContentTooLarge(f"The body may have up to {limit} bytes here")
