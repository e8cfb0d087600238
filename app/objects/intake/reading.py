"""Reading segments that aren't an object's content yet."""

from collections.abc import AsyncGenerator, Sequence

from app.objects.entities import Segment, locate
from storage.base import ByteRange, ObjectStore


async def read(
    store: ObjectStore, segments: Sequence[Segment], start: int = 0
) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of segments from ``start`` on, in bounded chunks."""
    stop = sum(segment.size for segment in segments)
    for key, within in locate(segments, ByteRange(start, stop)):
        async with store.open(key, within) as reader:
            async for chunk in reader:
                yield chunk
