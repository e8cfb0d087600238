"""Request bodies: as a stream with what its headers announce, or whole if it is bounded."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from fastapi import Request
from starlette.types import Message, Receive

from app.errors import ContentTooLarge, RequestTimeout
from app.objects.digests import Hashing
from app.objects.intake.memory import BodyMemoryLimit
from app.objects.uploads import Body
from routers.http.digests import OF_STORED_BODY, announced_digests
from routers.http.encodings import encoding_to_keep, require_plain

IDLE_TIMEOUT: Final = 60.0
"""Seconds that a client may send or take nothing before it counts as gone."""

_WHOLE_TIMEOUT: Final = 60.0  # for a body that is read whole


class ClientDisconnected(Exception):
    """The client has disconnected: there is nobody to answer."""


def body_of(request: Request) -> Body:
    """Return the request's raw body as a stream, with its announced size, digests and coding.

    A raw body's Content-Digest and Repr-Digest (RFC 9530) are the same.
    """
    digests = announced_digests(request, OF_STORED_BODY)
    return Body(stream(request), content_length(request), digests, kept_encoding(request))


def kept_encoding(request: Request) -> str | None:
    """Return the content coding that a raw body is kept in."""
    return encoding_to_keep(",".join(request.headers.getlist("content-encoding")))


def piece_of(request: Request) -> Body:
    """Return the request's body as a piece of an upload, with the digests of the piece alone."""
    return Body(stream(request), content_length(request), announced_digests(request))


def has_body(request: Request) -> bool:
    """Tell whether the request has a body of any bytes, or of a length that isn't known."""
    return (content_length(request) or 0) > 0 or "transfer-encoding" in request.headers


def content_length(request: Request) -> int | None:
    """Return the announced length of the body; the server has checked that it is a number."""
    header = request.headers.get("content-length")
    return None if header is None else int(header)


async def stream(request: Request) -> AsyncIterator[bytes]:
    """Yield the body as it arrives.

    Raises `RequestTimeout` after a pause of `IDLE_TIMEOUT`, and `ClientDisconnected`.
    """

    async def receive() -> Message:
        try:
            async with asyncio.timeout(IDLE_TIMEOUT):
                return await request.receive()
        except TimeoutError:
            raise RequestTimeout from None

    async for chunk in _chunks(receive):
        yield chunk


async def disconnected(receive: Receive) -> None:
    """Return when the client has disconnected; what it still sends is dropped."""
    while (await receive())["type"] != "http.disconnect":
        pass


@asynccontextmanager
async def read_json(request: Request, limit: int, memory: BodyMemoryLimit) -> AsyncIterator[bytes]:
    """Read a JSON body of up to ``limit`` bytes; ``memory`` counts it while the context lasts.

    Raises `ContentTooLarge`, as soon as it is known, `UnsupportedMediaType`, `DigestMismatch` and
    `RequestTimeout`.
    """
    require_plain(request)
    length = content_length(request)
    if length is not None and length > limit:
        raise _too_large(limit)
    announced = announced_digests(request)
    async with memory.hold(limit if length is None else length):
        body = await _collect(request, limit)
        if announced:
            hashing = Hashing(announced)
            await asyncio.to_thread(hashing.update, body)
            hashing.check()
        yield body


async def read_small(request: Request, limit: int) -> bytes:
    """Return a body of up to ``limit`` bytes, small enough to be read for strangers.

    Raises as `read_json` does.
    """
    require_plain(request)
    length = content_length(request)
    if length is not None and length > limit:
        raise _too_large(limit)
    hashing = Hashing(announced_digests(request))
    body = await _collect(request, limit)
    hashing.update(body)
    hashing.check()
    return body


async def _collect(request: Request, limit: int) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(_WHOLE_TIMEOUT):
            async for chunk in _chunks(request.receive):
                if len(body) + len(chunk) > limit:
                    raise _too_large(limit)
                body += chunk
    except TimeoutError:
        raise RequestTimeout from None
    return bytes(body)


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    is_last = False
    while not is_last:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        if body := message.get("body"):
            yield body
        is_last = not message.get("more_body")


def _too_large(limit: int) -> ContentTooLarge:
    return ContentTooLarge(f"The body may have up to {limit} bytes here")
