"""Merging of segments: neighbours that are many or tiny become one object."""

import hashlib
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Final

from app.objects.entities import Segment, Tail
from app.objects.intake.hashing import updated
from app.objects.intake.reading import read
from storage.base import ObjectStore

MOST: Final = 1000
"""Segments that an object may have."""

AT_ONCE: Final = 16
"""Neighbours that are merged: a byte is copied by each power of this that its object grows by."""

TINY: Final = 1024 * 1024
"""Bytes below which a segment is merged with others like it."""


def due(sizes: Sequence[int]) -> slice | None:
    """Return which neighbours, by their sizes in bytes, are to be merged before one more comes."""
    if len(sizes) < AT_ONCE:
        return None
    if all(size < TINY for size in sizes[-AT_ONCE:]):
        return slice(len(sizes) - AT_ONCE, len(sizes))
    if len(sizes) < MOST:
        return None
    starts = range(len(sizes) - AT_ONCE + 1)
    start = min(starts, key=lambda at: sum(sizes[at : at + AT_ONCE]))  # the least to copy
    return slice(start, start + AT_ONCE)


async def copy(
    store: ObjectStore, segments: Sequence[Segment], key: str, threads: ThreadPoolExecutor
) -> Tail:
    """Store a copy of neighbours under ``key``; returns its size and digest."""
    digest = hashlib.sha256()

    async def chunks() -> AsyncIterator[bytes]:
        async for chunk in originals:
            await updated(threads, digest, chunk)
            yield chunk

    size = sum(segment.size for segment in segments)
    async with aclosing(read(store, segments)) as originals:
        await store.put(key, chunks(), size=size)
    return Tail(size, digest.digest())
