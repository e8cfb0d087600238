"""Bare pictures: files without what is beside the pixels, such as places, cameras and comments.

What shows the picture stays, byte for byte: pixels, animation, colours and which way is up. All
else goes, known or not, and so does what follows the end, such as the video of a moving photo.
"""

import os
import re
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, Final

from app.objects.excerpts import MAX_PARTS, Excerpt, Part, to_json
from app.pictures.decoders import bare_boxes
from app.pictures.decoders.isobmff import read
from storage.base import ByteRange

_STEP: Final = 256 * 1024
_LARGEST_HEADER: Final = 64  # bytes of a WebP's

_MARKER, _START, _SCAN, _END = 0xFF, 0xD8, 0xDA, 0xD9
_ALONE: Final = frozenset({0x01, *range(0xD0, 0xD9)})  # markers without a length
_SEGMENTS: Final = frozenset({*range(0xC0, 0xD0), 0xDA, 0xDB, 0xDC, 0xDD, 0xDF} - {0xC8})
_APPLICATIONS: Final = {
    (0xE0, b"JFIF\0"): range(16, 17),  # none with a thumbnail
    (0xE2, b"ICC_PROFILE\0"): range(16, 65536),
    (0xEE, b"Adobe"): range(14, 15),
}
"""Those that tell how colours are meant: marker, beginning and lengths."""
_AFTER_SCAN: Final = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")

_CHUNKS: Final = frozenset(
    b"IHDR PLTE IDAT IEND tRNS cHRM gAMA iCCP sBIT sRGB cICP mDCV cLLI bKGD hIST pHYs acTL fcTL "
    b"fdAT".split()
)
_LOOPS: Final = (b"NETSCAPE2.0", b"ANIMEXTS1.0")
_IN_WEBP: Final = frozenset({b"VP8 ", b"VP8L", b"ALPH", b"ANIM", b"ANMF", b"ICCP"})
_IN_FRAME: Final = frozenset({b"VP8 ", b"VP8L", b"ALPH"})
_HAS_EXIF, _HAS_XMP = 0x08, 0x04


def parts_of(file: BinaryIO, image_format: str, orientation: int) -> str:
    """Return of which parts the bare file consists, as JSON of `excerpts`; none: it can't be made.

    ``orientation`` is that of its EXIF, of which nothing else stays.
    """
    exif = b"" if orientation == 1 else _orientation(orientation)
    try:
        parts = _merged(_WALKS[image_format](file, exif), file.seek(0, os.SEEK_END))
    except Exception:  # noqa: BLE001 - a file may be broken in any way
        return to_json([])
    return to_json(parts if len(parts) <= MAX_PARTS else [])


def _jpeg(file: BinaryIO, exif: bytes) -> Iterator[Part]:
    yield ByteRange(0, 2)
    if exif:
        content = b"Exif\0\0" + exif
        yield struct.pack(">BBH", _MARKER, 0xE1, 2 + len(content)) + content
    at = 2
    while len(start := read(file, at, 20)) > 1:
        marker = start[1]
        if start[0] != _MARKER or marker in {0, _MARKER}:  # bytes between segments
            at += max(1, start.find(_MARKER, 1))
            continue
        end = at + (2 if marker in _ALONE or marker == _END else 2 + int.from_bytes(start[2:4]))
        if marker == _SCAN:
            end = _end_of_scan(file, end)
        if marker in _SEGMENTS or marker == _END or _is_about_colours(start, end - at - 2):
            yield ByteRange(at, end)
        if marker == _END:
            return
        at = end


def _is_about_colours(start: bytes, length: int) -> bool:
    return any(
        start[1] == marker and start.startswith(name, 4) and length in lengths
        for (marker, name), lengths in _APPLICATIONS.items()
    )


def _end_of_scan(file: BinaryIO, at: int) -> int:
    """Return where the next segment begins after the pixels at an offset."""
    while len(data := read(file, at, _STEP)) > 1:
        found = _AFTER_SCAN.search(data)
        if found:
            return at + found.start()
        at += len(data) - 1  # a marker may be cut in two
    return at + len(data)


def _png(file: BinaryIO, exif: bytes) -> Iterator[Part]:
    yield ByteRange(0, 8)
    at, name = 8, b""
    while name != b"IEND" and len(start := read(file, at, 8)) == 8:  # noqa: PLR2004
        length, name = struct.unpack(">I4s", start)
        if name in _CHUNKS:
            yield ByteRange(at, at + 12 + length)
        elif name == b"eXIf" and exif:
            checksum = zlib.crc32(name + exif)
            yield struct.pack(">I4s", len(exif), name) + exif + checksum.to_bytes(4)
            exif = b""
        at += 12 + length


def _gif(file: BinaryIO, _exif: bytes) -> Iterator[Part]:
    header = read(file, 0, 13)
    yield ByteRange(0, 13 + _size_of_palette(header[10]))
    at = 13 + _size_of_palette(header[10])
    while introducer := read(file, at, 1):
        start, label = at, b""
        if introducer == b";":
            yield ByteRange(at, at + 1)
            return
        if introducer == b",":
            at += 11 + _size_of_palette(read(file, at + 9, 1)[0])
        elif introducer == b"!":
            label = read(file, at + 1, 13)
            at += 2
        else:
            return
        at = _end_of_blocks(file, at)
        if label[:1] in {b"", b"\xf9"} or (label[:1] == b"\xff" and label[2:] in _LOOPS):
            yield ByteRange(start, at)


def _size_of_palette(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _end_of_blocks(file: BinaryIO, at: int) -> int:
    file.seek(at)
    while (size := file.read(1)) and size[0]:
        file.seek(size[0], os.SEEK_CUR)
    return file.tell()


def _webp(file: BinaryIO, exif: bytes) -> Iterator[Part]:
    parts: list[Part] = []
    stop = 8 + int.from_bytes(read(file, 4, 4), "little")
    at, size = 12, 4
    while at < stop and len(start := read(file, at, 8)) == 8:  # noqa: PLR2004
        name, length = struct.unpack("<4sI", start)
        end = at + 8 + length + length % 2
        if name == b"VP8X":
            header = _plain_header(read(file, at, min(end - at, _LARGEST_HEADER)), exif)
            parts.append(_same(file, at, header))
        elif name == b"EXIF" and exif:
            parts.append(struct.pack("<4sI", name, len(exif)) + exif)
        elif name in _IN_WEBP:
            if name == b"ANMF":
                _check_frame(file, at + 24, end)
            parts.append(ByteRange(at, end))
        at = end
    size += Excerpt(tuple(parts)).size
    yield _same(file, 0, struct.pack("<4sI4s", b"RIFF", size, b"WEBP"))
    yield from parts


def _same(file: BinaryIO, at: int, data: bytes) -> Part:
    """Return bytes as a range of the file, if they are what it has there."""
    return ByteRange(at, at + len(data)) if read(file, at, len(data)) == data else data


def _plain_header(header: bytes, exif: bytes) -> bytes:
    flags = header[8] & ~(_HAS_EXIF | _HAS_XMP) | (_HAS_EXIF if exif else 0)
    return header[:8] + bytes([flags]) + header[9:]


def _check_frame(file: BinaryIO, at: int, end: int) -> None:
    """Raise `ValueError` for a frame with something beside its pixels."""
    while at < end and len(start := read(file, at, 8)) == 8:  # noqa: PLR2004
        name, length = struct.unpack("<4sI", start)
        if name not in _IN_FRAME:
            raise ValueError(name)
        at += 8 + length + length % 2


def _boxes(file: BinaryIO, _exif: bytes) -> Iterator[Part]:
    return bare_boxes.parts_of(file)  # the container says which way is up


def _orientation(value: int) -> bytes:
    """Return EXIF that says which way is up, and nothing else."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, value, 0)
    return b"II*\0" + struct.pack("<IH", 8, 1) + entry + bytes(4)


def _merged(parts: Iterable[Part], size: int) -> list[Part]:
    """Join ranges that follow each other; none ends after the file, of ``size`` bytes."""
    merged: list[Part] = []
    for part in parts:
        if isinstance(part, ByteRange):
            part = ByteRange(min(part.start, size), min(part.stop, size))  # noqa: PLW2901
            if part.length == 0:
                continue
            last = merged[-1] if merged else None
            if isinstance(last, ByteRange) and last.stop == part.start:
                merged[-1] = ByteRange(last.start, part.stop)
                continue
        merged.append(part)
        if len(merged) > MAX_PARTS:
            break
    return merged


_WALKS: Final[dict[str, Callable[[BinaryIO, bytes], Iterator[Part]]]] = {
    "jpeg": _jpeg,
    "png": _png,
    "gif": _gif,
    "webp": _webp,
    "avif": _boxes,
    "heic": _boxes,
}
