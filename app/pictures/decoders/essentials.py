"""The parts of a JPEG, PNG or GIF that its picture, or the first frame, is decoded from.

Decoders see nothing else, so a picture that browsers show isn't refused for huge compressed texts
or profiles, empty blocks, or bad checksums of chunks that nobody reads.
"""

import io
import os
import struct
import zlib
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, BinaryIO, Final

Grid = tuple[int, int]
"""Steps across and down: one pixel of each step is present."""

Box = tuple[int, int, int, int]
"""Left, top, right and bottom, in pixels."""

Span = tuple[int, int]
"""The offsets at which a part of a file starts and ends."""

WHOLE: Final[tuple[Grid, ...]] = ((1, 1),)

_ADAM7: Final[tuple[Grid, ...]] = ((1, 1), (1, 2), (2, 2), (2, 4), (4, 4), (4, 8), (8, 8))
_GIF_PASSES: Final[tuple[Grid, ...]] = ((1, 1), (1, 2), (1, 4), (1, 8))
_SMALL: Final = 1024 * 1024  # bytes of a chunk without pixels, also when inflated
_STEP: Final = 64 * 1024

_PIXELS: Final = frozenset({b"IDAT", b"fdAT"})
_SHOWN: Final = frozenset({b"IHDR", b"PLTE", b"IEND"}) | _PIXELS
_ANCILLARY: Final = frozenset({b"tRNS", b"iCCP", b"eXIf"})

_TRANSPARENT_SIZES: Final = {0: 2, 2: 6}  # bytes of tRNS, by colour type

_MARKER, _COMMENT = 0xFF, 0xFE
_ENDS: Final = frozenset({0, *range(0xD0, 0xDB)})  # scans, and segments without a length
_APPLICATIONS: Final = range(0xE0, 0xF0)
_USED: Final = {
    0xE0: (b"JFIF\0", 18),
    0xE1: (b"Exif\0\0", 18),
    0xE2: (b"ICC_PROFILE\0", 18),
    0xEE: (b"Adobe", 16),
}
"""The application segments that decoders need, by marker: their start and least length."""

_EXTENSION, _IMAGE, _GRAPHIC_CONTROL = b"!", b",", b"\xf9"
_HAS_PALETTE: Final = 0x80
_INTERLACED: Final = 0x40


@dataclass(frozen=True, slots=True)
class Essentials:
    """The parts of a picture for decoders, and facts that decoders do not report."""

    file: BinaryIO
    is_complete: bool
    grids: tuple[Grid, ...] = WHOLE
    """The passes of an interlaced picture, finest first."""
    depth: int = 8
    """Bits per channel."""
    frame: Box | None = None
    """The part of a GIF's canvas that its first frame covers."""
    transparent: int | None = None
    """The transparent colour of a GIF."""
    frames: int = 1
    """How many a GIF has; 1 as well if one of them lies outside its canvas."""


def of_jpeg(file: BinaryIO) -> Essentials:
    """Find the segments of a JPEG; its decoder tells whether it is complete."""
    spans: list[Span] = [(0, 2)]
    at, end = 2, file.seek(0, os.SEEK_END)
    while len(start := _read(file, at, 20)) > 4:  # noqa: PLR2004
        marker, length = start[1], 2 + int.from_bytes(start[2:4])
        if start[0] != _MARKER or marker == _MARKER:  # bytes between segments
            at += max(1, start.find(_MARKER))
            continue
        if marker in _ENDS:
            break
        name, size = _USED.get(marker, (b"", 0))
        is_needed = name and start.startswith(name, 4) and length >= size
        if is_needed or (marker not in _APPLICATIONS and marker != _COMMENT):
            _add(spans, at, at + length)
        at += length
    _add(spans, at, max(at, end))
    return Essentials(_joined(file, spans), is_complete=True)


def of_png(file: BinaryIO) -> Essentials:
    """Find the chunks of a PNG; it is complete if all that matter are there and intact."""
    header = _read(file, 0, 33)  # includes IHDR, the first chunk
    spans: list[Span] = [(0, 8)]
    at, is_intact, name = 8, True, b""
    while name != b"IEND" and len(start := _read(file, at, 8)) == 8:  # noqa: PLR2004
        length, name = struct.unpack(">I4s", start)
        end = at + 12 + length
        if name in _SHOWN:
            is_intact = _has_checksum(file, at, end) and is_intact
        is_needed = name in _SHOWN or (
            name in _ANCILLARY and _is_needed(file, name, (at, end), colours=header[25])
        )
        if is_needed and name != b"fdAT" and (length <= _SMALL or name in _PIXELS):
            _add(spans, at, end)
        at = end
    return Essentials(
        _joined(file, spans),
        is_complete=is_intact and name == b"IEND",
        grids=_ADAM7 if header[28] else WHOLE,
        depth=header[24],
    )


def _has_checksum(file: BinaryIO, at: int, end: int) -> bool:
    file.seek(at + 4)
    checksum, left = 0, end - at - 8
    while left > 0 and (part := file.read(min(left, _STEP))):
        checksum = zlib.crc32(part, checksum)
        left -= len(part)
    return file.read(4) == checksum.to_bytes(4)


def _is_needed(file: BinaryIO, name: bytes, span: Span, colours: int) -> bool:
    """Tell whether an ancillary chunk is intact, and small even when inflated."""
    at, end = span
    size = end - at - 12
    if size > _SMALL or not _has_checksum(file, at, end):
        return False
    if name == b"tRNS":
        return size >= _TRANSPARENT_SIZES.get(colours, 1)
    if name == b"iCCP":
        _, _, profile = _read(file, at + 8, size).partition(b"\0")
        inflater = zlib.decompressobj()
        try:
            inflater.decompress(profile[1:], _SMALL)  # after the compression method
        except zlib.error:
            return False
        return inflater.eof
    return True


def of_gif(file: BinaryIO) -> Essentials:
    """Find the first frame of a GIF; it is complete if the later frames are, too.

    Raises `EOFError` if there is none.
    """
    header = _read(file, 0, 13)
    canvas = 13 + _palette_size(header[10])
    edges = struct.unpack("<2H", header[6:10])
    file.seek(canvas)
    first: Span | None = None
    frames, is_inside = 0, True
    descriptor, transparent = b"", None
    while (introducer := file.read(1)) in {_EXTENSION, _IMAGE}:
        at = file.tell() - 1
        if introducer == _EXTENSION:
            control = file.read(1) == _GRAPHIC_CONTROL
            block = _skip_blocks(file)
            if control and first is None and len(block) > 3 and block[0] & 1:  # noqa: PLR2004
                transparent = block[3]
        else:
            fields = file.read(9).ljust(9, b"\0")
            file.seek(_palette_size(fields[8]) + 1, os.SEEK_CUR)
            _skip_blocks(file)
            left, top, width, height = struct.unpack("<4H", fields[:8])
            is_inside = is_inside and left + width <= edges[0] and top + height <= edges[1]
            frames += 1
            if first is None:
                first, descriptor = (at, file.tell()), fields
    if first is None:
        raise EOFError
    left, top, width, height, flags = struct.unpack("<4HB", descriptor)
    return Essentials(
        _joined(file, [(0, canvas), first]),
        is_complete=introducer != b"",
        grids=_GIF_PASSES if flags & _INTERLACED else WHOLE,
        frame=(left, top, left + width, top + height),
        transparent=transparent,
        frames=frames if is_inside else 1,
    )


def _palette_size(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & _HAS_PALETTE else 0


def _skip_blocks(file: BinaryIO) -> bytes:
    """Skip blocks up to the empty one that ends them; returns the first."""
    size = file.read(1)
    first = file.read(size[0]) if size and size[0] else b""
    while size and size[0]:
        size = file.read(1)
        if size:
            file.seek(size[0], os.SEEK_CUR)
    return first


def _read(file: BinaryIO, at: int, size: int) -> bytes:
    file.seek(at)
    return file.read(size)


def _add(spans: list[Span], start: int, end: int) -> None:
    if spans[-1][1] == start:
        start, _ = spans.pop()
    spans.append((start, end))


def _joined(file: BinaryIO, spans: list[Span]) -> BinaryIO:
    return io.BufferedReader(_Parts(file, spans), _STEP)


class _Parts(io.RawIOBase):
    """Parts of a file, read as one file; it ends early where the file does."""

    def __init__(self, file: BinaryIO, spans: list[Span]) -> None:
        self._file = file
        self._spans = spans
        self._ends = list(accumulate(end - start for start, end in spans))  # in this file
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        self._at = max(0, (0, self._at, self._ends[-1])[whence] + offset)
        return self._at

    def readinto(self, buffer: Any, /) -> int:  # noqa: ANN401 - any writable bytes
        number = bisect_right(self._ends, self._at)
        if number == len(self._spans):
            return 0
        left = self._ends[number] - self._at
        data = _read(self._file, self._spans[number][1] - left, min(len(buffer), left))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)
