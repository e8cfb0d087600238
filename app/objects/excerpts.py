"""Excerpts: some bytes of a content, and others between them, as they are read from it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from storage.base import ByteRange

MAX_PARTS: Final = 256

NOTHING: Final = "[]"
"""What is kept of a content of which there can be no excerpt."""

Part = ByteRange | bytes | int
"""Some of the content's bytes, others, or so many zeros."""

_ZEROS: Final = bytes(64 * 1024)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """What an excerpt consists of, in its order; nothing, if there can be none."""

    parts: tuple[Part, ...]

    @property
    def size(self) -> int:
        return sum(map(_length, self.parts))

    def is_whole(self, size: int) -> bool:
        """Tell whether it is all of a content of this size, and nothing else."""
        return self.parts == (ByteRange(0, size),)

    def within(self, part: ByteRange) -> Iterator[ByteRange | bytes]:
        """Yield what a part of the excerpt consists of."""
        start = 0
        for piece in self.parts:
            stop = start + _length(piece)
            first, last = max(part.start, start) - start, min(part.stop, stop) - start
            if first < last:
                yield from _cut(piece, first, last)
            start = stop

    def of(self, data: bytes) -> bytes:
        """Return the excerpt of a whole content."""
        pieces = self.within(ByteRange(0, self.size))
        return b"".join(
            piece if isinstance(piece, bytes) else data[piece.start : piece.stop]
            for piece in pieces
        )


def to_json(parts: Sequence[Part]) -> str:
    """Return parts as they are kept: a pair of offsets, hexadecimal digits, or a number."""
    return json.dumps([_to_json(part) for part in parts], separators=(",", ":"))


def from_json(text: str) -> Excerpt:
    """Return what `to_json` has kept."""
    return Excerpt(tuple(_from_json(part) for part in json.loads(text)))


def _to_json(part: Part) -> list[int] | str | int:
    if isinstance(part, ByteRange):
        return [part.start, part.stop]
    return part.hex() if isinstance(part, bytes) else part


def _from_json(part: list[int] | str | int) -> Part:
    if isinstance(part, list):
        return ByteRange(*part)
    return bytes.fromhex(part) if isinstance(part, str) else part


def _length(part: Part) -> int:
    if isinstance(part, ByteRange):
        return part.length
    return len(part) if isinstance(part, bytes) else part


def _cut(part: Part, first: int, last: int) -> Iterator[ByteRange | bytes]:
    if isinstance(part, ByteRange):
        yield ByteRange(part.start + first, part.start + last)
    elif isinstance(part, bytes):
        yield part[first:last]
    else:
        for at in range(first, last, len(_ZEROS)):
            yield _ZEROS[: last - at]
