"""Lines on their way to a store and back: gzipped, counted and hashed, in bounded memory."""

import asyncio
import hashlib
import json
import zlib
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable
from contextlib import aclosing
from typing import Any, Final

from app.backup.errors import BackupError
from app.backup.manifest import Stored
from app.errors import BadRequest
from app.objects.intake.gzip import inflate
from storage.base import ObjectStore, new_key
from storage.errors import ObjectNotFound

_GZIP: Final = 16 + zlib.MAX_WBITS
_LEVEL: Final = 6


def encode(records: Iterable[dict[str, Any]]) -> bytes:
    """Return records as lines of JSON."""
    return b"".join([_encode(record) for record in records])


def _encode(record: dict[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


async def store_lines(store: ObjectStore, kind: str, blocks: AsyncIterable[bytes]) -> Stored:
    """Store blocks of lines under a fresh key of a kind."""
    key = new_key(kind)
    sha256 = hashlib.sha256()
    size = 0

    async def counted() -> AsyncGenerator[bytes]:
        nonlocal size
        async with aclosing(_gzipped(blocks)) as chunks:
            async for chunk in chunks:
                sha256.update(chunk)
                size += len(chunk)
                yield chunk

    async with aclosing(counted()) as body:
        await store.put(key, body, size=None)
    return Stored(key, size, sha256.hexdigest())


async def _gzipped(blocks: AsyncIterable[bytes]) -> AsyncGenerator[bytes]:
    gzip = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    async for block in blocks:
        if chunk := await asyncio.to_thread(gzip.compress, block):
            yield chunk
    yield gzip.flush()


async def read_records(store: ObjectStore, stored: Stored) -> AsyncIterator[list[dict[str, Any]]]:
    """Yield what `store_lines` has stored, in batches of records.

    Raises `BackupError` when it is gone or isn't what was stored; that may come after the last
    batch, so nothing is to be believed before the end.
    """
    try:
        async with aclosing(_blocks(store, stored)) as blocks:
            async for block in blocks:
                yield await asyncio.to_thread(_decode, block)
    except ObjectNotFound:
        raise BackupError(f"{stored.key} is missing in the target") from None
    except (BadRequest, ValueError):
        raise BackupError(f"{stored.key} is damaged in the target") from None


async def _blocks(store: ObjectStore, stored: Stored) -> AsyncGenerator[bytes]:
    """Yield blocks of whole lines."""
    sha256 = hashlib.sha256()
    async with store.open(stored.key) as reader:

        async def hashed() -> AsyncIterator[bytes]:
            async for chunk in reader:
                sha256.update(chunk)
                yield chunk

        rest = b""
        async for data in inflate(hashed()):
            block, end, begun = data.rpartition(b"\n")
            if end:
                yield rest + block
                rest = begun
            else:
                rest += begun
        if rest or sha256.hexdigest() != stored.sha256:
            raise BadRequest


def _decode(block: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in block.split(b"\n")]
