"""Multipart bodies (RFC 7578), read as they arrive; only fields of a bounded size are buffered."""

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from typing import Final

from fastapi import Request
from multipart import MultipartSegment

from app.errors import ContentTooLarge, InvalidRequest
from app.objects.digests import Hashing
from app.objects.uploads import Body
from routers.http.bodies import stream
from routers.http.digests import announced_digests
from routers.http.encodings import encoding_to_keep, require_plain
from routers.http.forms.segments import Event, read_segments
from routers.http.names import disposition_name, parameters, text_of

MAX_PARTS: Final = 64
MAX_FIELD: Final = 64 * 1024
"""Bytes of a field's value."""

_IGNORED: Final = 1024 * 1024  # bytes of unknown parts


@dataclass(frozen=True, slots=True)
class Part:
    """A part: a field, or a file if it has a file name. It must be read before the next one."""

    name: str
    filename: str | None
    content_type: str
    encoding: str | None
    """Its content coding."""
    _events: AsyncIterator[Event]

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the part's bytes as they arrive."""
        async for event in self._events:
            if event is None:
                return
            yield event

    def body(self) -> Body:
        """Return a file as a body to be stored."""
        return Body(self.chunks(), encoding=self.encoding)

    async def data(self, limit: int = MAX_FIELD) -> bytes:
        """Return a field's bytes; raises `ContentTooLarge`."""
        value = bytearray()
        async for chunk in self.chunks():
            value += chunk
            if len(value) > limit:
                raise ContentTooLarge(f"The field {self.name!r} may have up to {limit} bytes")
        return bytes(value)

    async def text(self, limit: int = MAX_FIELD) -> str:
        """Return a field's value; raises `ContentTooLarge`, or `InvalidRequest` if not UTF-8."""
        try:
            return (await self.data(limit)).decode()
        except UnicodeDecodeError:
            raise InvalidRequest(f"The field {self.name!r} is not UTF-8") from None


async def read_parts(
    request: Request, *, chunks: AsyncIterator[bytes] | None = None, max_parts: int = MAX_PARTS
) -> AsyncGenerator[Part, None]:
    """Yield the parts of a request's body; what the caller leaves of one is skipped.

    ``chunks`` replaces the raw body, for instance when that is compressed. Only the end of the
    iteration means that the body is complete and its Content-Digest is right. Raises
    `InvalidRequest` for a body that isn't multipart, `ContentTooLarge` for too many parts,
    `DigestMismatch`, and the stream's errors.
    """
    content_type = request.headers.get("content-type", "")
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type != "multipart/form-data" or not parameters(content_type).get("boundary"):
        raise InvalidRequest("Send a form, as multipart/form-data")
    if chunks is None:
        require_plain(request)
        chunks = checked_stream(request)
    events = read_segments(chunks, content_type)
    count = ignored = 0
    async for event in events:
        if not isinstance(event, MultipartSegment):  # unread data of the last part
            ignored += len(event or b"")
            if ignored > _IGNORED:
                raise ContentTooLarge(f"Unknown fields may have up to {_IGNORED} bytes")
            continue
        count += 1
        if count > max_parts:
            raise ContentTooLarge(f"A form may have up to {max_parts} parts")
        yield _part(event, events)


def _part(segment: MultipartSegment, events: AsyncIterator[Event]) -> Part:
    return Part(
        text_of(segment.name or ""),
        disposition_name(segment.header("Content-Disposition", "")),
        segment.content_type,
        encoding_to_keep(segment.header("Content-Encoding", "")),
        events,
    )


async def checked_stream(request: Request) -> AsyncIterator[bytes]:
    """Yield the body as it arrives, and check its digests at the end; raises `DigestMismatch`."""
    announced = announced_digests(request)
    hashing = Hashing(announced)
    async for chunk in stream(request):
        if announced:
            hashing.update(chunk)
        yield chunk
    hashing.check()
