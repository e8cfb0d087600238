"""Gzip (RFC 1952), inflated as it arrives in steps of a bounded size."""

import asyncio
import zlib
from collections.abc import AsyncIterator
from typing import Final

from app.errors import BadRequest, ContentTooLarge

_STEP: Final = 256 * 1024  # bytes that a step yields at most
_IN_LOOP: Final = 512 * 1024  # bytes inflated in the event loop; a thread inflates the rest
_MEMBERS: Final = 64  # since many tiny ones take much time for few bytes
_GZIP: Final = 16 + zlib.MAX_WBITS


async def inflate(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the content of all members of a gzip body.

    It can be a thousand times as large as the body: limit it by `limited`. Raises `BadRequest` for
    a body that is broken or cut off.
    """
    member = zlib.decompressobj(_GZIP)
    is_whole = False  # a member has just ended, so the body may end here
    members, size = 1, 0
    async for chunk in chunks:
        left, is_full = chunk, False
        while left or is_full:  # after a full step there may be more
            if is_whole:
                left = left.lstrip(b"\0")  # padding
                if not left:
                    break
                if members == _MEMBERS:
                    raise BadRequest(f"A gzip body may have up to {_MEMBERS} members")
                member, is_whole = zlib.decompressobj(_GZIP), False
                members += 1
            data = await _step(member, left, in_loop=size < _IN_LOOP)
            size += len(data)
            if data:
                yield data
            is_whole, is_full = member.eof, len(data) == _STEP
            left = member.unused_data if is_whole else member.unconsumed_tail
    if not is_whole:
        raise BadRequest("The gzip body ends too soon")


async def _step(member: "zlib._Decompress", data: bytes, *, in_loop: bool) -> bytes:
    try:
        if in_loop:
            return member.decompress(data, _STEP)
        return await asyncio.to_thread(member.decompress, data, _STEP)
    except zlib.error:
        raise BadRequest("The body is not gzip, or it is broken") from None


async def limited(chunks: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes]:
    """Yield a body of up to ``limit`` bytes; raises `ContentTooLarge` as soon as it is larger."""
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise ContentTooLarge(f"A body may have up to {limit} bytes here, inflated")
        yield chunk
