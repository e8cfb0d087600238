"""Boxes of AVIF and HEIF files (ISO/IEC 14496-12 and 23008-12), for what decoders lack."""

import io
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple


class Box(NamedTuple):
    """A box: its name, and the offsets of its start, its content and its end."""

    name: bytes
    start: int
    content: int
    end: int


def is_complete(file: BinaryIO) -> bool:
    """Tell whether none of a file's boxes is cut off."""
    size = file.seek(0, io.SEEK_END)
    return all(box.end <= size for box in boxes(file, 0, size))


def largest_extent(file: BinaryIO) -> tuple[int, int]:
    """Return the width and height of the largest image in the file's properties."""
    largest = (0, 0)
    for properties in _found(file, b"meta", b"iprp", b"ipco"):
        for box in inside(file, properties):
            if box.name == b"ispe":
                width, height = struct.unpack(">II", read(file, box.content + 4, 8))
                largest = max(largest, (width, height), key=lambda size: size[0] * size[1])
    return largest


def with_joined_associations(file: BinaryIO) -> BinaryIO:
    """Return a file with its ``ipma`` boxes joined into one, if they can be.

    Some encoders wrote one box per item, such as for an alpha channel; libavif wants a single one
    (ISO/IEC 14496-12, 8.11.14.1). The space saved becomes a ``free`` box, so that nothing moves.
    """
    for meta in _found(file, b"meta"):
        for properties in (box for box in inside(file, meta) if box.name == b"iprp"):
            parts = [box for box in inside(file, properties) if box.name == b"ipma"]
            versions = {read(file, box.content, 4) for box in parts}  # with flags
            if (
                len(parts) > 1
                and len(versions) == 1
                and meta.end >= properties.end >= parts[-1].end
            ):
                return _joined(file, meta, properties, parts)
    return file


def _joined(file: BinaryIO, meta: Box, properties: Box, parts: list[Box]) -> BinaryIO:
    count = sum(int.from_bytes(read(file, box.content + 4, 4)) for box in parts)
    entries = b"".join(read(file, box.content + 8, box.end - box.content - 8) for box in parts)
    version = read(file, parts[0].content, 4)
    one = _box(b"ipma", version + count.to_bytes(4) + entries)
    others = read(file, properties.content, parts[0].start - properties.content)
    written = _box(b"iprp", others + one) + read(file, properties.end, meta.end - properties.end)
    free = meta.end - properties.start - len(written) - 8
    data = bytearray(read(file, 0, -1))
    data[properties.start : meta.end] = written + _box(b"free", bytes(free))
    return io.BytesIO(data)


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), name) + content


def _found(file: BinaryIO, *path: bytes) -> Iterator[Box]:
    """Yield the boxes at a path of names."""
    found = list(boxes(file, 0, file.seek(0, io.SEEK_END)))
    for name in path[:-1]:
        found = [inner for box in found if box.name == name for inner in inside(file, box)]
    yield from (box for box in found if box.name == path[-1])


def inside(file: BinaryIO, box: Box) -> Iterator[Box]:
    """Yield the boxes within a box."""
    flags = 4 if box.name == b"meta" else 0  # version and flags come first
    return boxes(file, box.content + flags, box.end)


def boxes(file: BinaryIO, at: int, end: int) -> Iterator[Box]:
    """Yield the boxes between two offsets, up to the first that is none; the last may end later."""
    while at + 8 <= end:
        size, name = struct.unpack(">I4s", read(file, at, 8))
        content = at + 8
        if size == 1:
            size, content = int.from_bytes(read(file, content, 8)), content + 8
        stop = at + size if size else end
        if not name.isalnum() or stop < content:
            return
        yield Box(name, at, content, stop)
        at = stop


def read(file: BinaryIO, at: int, size: int) -> bytes:
    """Read up to ``size`` bytes at an offset; -1 for all."""
    file.seek(at)
    return file.read(size)
