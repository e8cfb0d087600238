"""Reading segments that aren't an object's content yet."""

from collections.abc import AsyncGenerator, Sequence

from app.objects.entities import Segment
from storage.base import ByteRange, ObjectStore


async def read(
    store: ObjectStore, segments: Sequence[Segment], start: int = 0
) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of segments from ``start`` on, in bounded chunks."""
    for segment in segments:
        if start >= segment.size:
            start -= segment.size
            continue
        async with store.open(segment.key, ByteRange(start, segment.size)) as reader:
            async for chunk in reader:
                yield chunk
        start = 0
