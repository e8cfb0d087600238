"""Segments of multipart bodies (RFC 2046 §5.1), parsed as they arrive."""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Final, TypeAlias

from multipart import MultipartError, MultipartSegment, PushMultipartParser

from app.errors import InvalidRequest
from routers.http.names import parameters

Event: TypeAlias = MultipartSegment | bytes | None
"""A segment's headers, then chunks of its bytes, then None."""

_AROUND: Final = 64 * 1024  # bytes of preamble or epilogue
_PADDING: Final = 64  # blanks after a boundary


class _MixedParser(PushMultipartParser):  # type: ignore[misc]
    """Parses ``multipart/mixed``, whose segments need no Content-Disposition."""

    def _create_segment(self, headerlist: list[tuple[str, str]]) -> MultipartSegment:
        return MultipartSegment(headerlist)


async def read_segments(chunks: AsyncIterator[bytes], content_type: str) -> AsyncIterator[Event]:
    """Yield the segments of a form.

    Files inside a nested ``multipart/mixed`` (HTML 4) become segments of the field that holds it.
    Raises `InvalidRequest` for a body that isn't a form.
    """
    events = _parsed(chunks, content_type, PushMultipartParser)
    async for event in events:
        if isinstance(event, MultipartSegment) and event.content_type == "multipart/mixed":
            mixed = event.header("Content-Type", "")
            async for inner in _parsed(_payload(events), mixed, _MixedParser):
                if isinstance(inner, MultipartSegment):
                    inner.name = event.name
                yield inner
        else:
            yield event


async def _payload(events: AsyncIterator[Event]) -> AsyncIterator[bytes]:
    async for event in events:
        if not isinstance(event, bytes):
            return
        yield event


async def _parsed(
    chunks: AsyncIterator[bytes], content_type: str, parser_class: type[PushMultipartParser]
) -> AsyncIterator[Event]:
    silent = 0  # bytes since the last event
    try:
        boundary = parameters(content_type).get("boundary", "").encode("latin-1")
        # names may be in any encoding: Latin-1 decodes every byte
        parser = parser_class(boundary, header_charset="latin-1")
        async for chunk in _without_padding(chunks, boundary):
            silent += len(chunk)
            parsed: Iterator[Event] = parser.parse(chunk)
            for event in parsed:
                silent = 0
                yield event
            if silent > _AROUND:
                raise InvalidRequest("The body has too much data outside the form's parts")
        parser.close()
    except MultipartError as error:
        raise InvalidRequest(f"The body is not a multipart form: {error}") from None


async def _without_padding(chunks: AsyncIterator[bytes], boundary: bytes) -> AsyncIterator[bytes]:
    """Drop blanks between a boundary and the end of its line, which the parser would refuse.

    Bytes that may start such a line wait for the next chunk.
    """
    delimiter = b"\r\n--" + boundary
    padded = re.compile(re.escape(delimiter) + rb"[ \t]{1,%d}(?=\r\n)" % _PADDING)
    longest = len(delimiter) + _PADDING + 2
    kept = b"\r\n"  # the first boundary may be on the first line
    async for chunk in chunks:
        data = kept + chunk if kept else chunk
        if delimiter + b" " in data or delimiter + b"\t" in data:
            data = padded.sub(delimiter.replace(b"\\", rb"\\"), data)
        ready = _end_of_ready(data, delimiter, longest)
        kept = data[ready:]
        if ready:
            yield data[:ready]
    if kept:
        yield kept


def _end_of_ready(data: bytes, delimiter: bytes, longest: int) -> int:
    """Return the offset of a boundary whose line hasn't ended, or the length of the data."""
    begins = data.find(b"\r", max(0, len(data) - longest))
    while begins >= 0:
        tail = data[begins:]
        padding = tail.removeprefix(delimiter)
        if delimiter.startswith(tail) or (padding != tail and not padding.strip(b" \t\r")):
            return begins
        begins = data.find(b"\r", begins + 1)
    return len(data)
