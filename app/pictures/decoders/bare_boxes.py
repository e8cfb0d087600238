"""Bare AVIF and HEIC: nothing moves in them, as offsets lead to pixels; what goes becomes zeros."""

import os
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

from app.objects.excerpts import Part
from app.pictures.decoders.isobmff import Box, boxes, inside, read
from storage.base import ByteRange

_FREE: Final = b"free"
_NO_TYPE: Final = b"none"  # of an item, which readers skip
_LARGEST_TABLE: Final = 1024 * 1024  # bytes

_TOP: Final = frozenset({b"ftyp", b"meta", b"mdat", b"moov", _FREE})
_IN_META: Final = frozenset(
    {b"hdlr", b"pitm", b"iloc", b"iinf", b"iref", b"iprp", b"idat", b"grpl", b"dinf"}
)
_WORDS: Final = frozenset({b"udes", b"altt", b"uuid", b"crtt", b"mdft"})
"""Properties of items that describe them."""
_IMAGES: Final = frozenset({b"av01", b"hvc1", b"hev1", b"lhv1", b"grid", b"iovl", b"iden", b"tmap"})


class _Change(NamedTuple):
    start: int
    stop: int
    data: bytes | None
    """None: zeros."""


class _Extent(NamedTuple):
    item: int
    is_inside: bool
    """Whether its offset is that in ``idat``, and not in the file."""
    start: int
    length: int


def parts_of(file: BinaryIO) -> Iterator[Part]:
    """Yield the parts of a bare file; raises errors of any class for one that is odd."""
    top = list(boxes(file, 0, file.seek(0, os.SEEK_END)))
    while top[-1].name not in _TOP:
        top.pop()
    at = 0
    for change in sorted(_changes(file, top), key=lambda change: change.start):
        yield ByteRange(at, change.start)
        yield change.stop - change.start if change.data is None else change.data
        at = change.stop
    yield ByteRange(at, top[-1].end)


def _changes(file: BinaryIO, top: list[Box]) -> Iterator[_Change]:
    (meta,) = (box for box in top if box.name == b"meta")
    within = {box.name: box for box in inside(file, meta)}
    types = dict(_types(file, within[b"iinf"]))
    inner = within.get(b"idat")
    shown: list[ByteRange] = []
    others: list[ByteRange] = []
    for extent in _extents(file, within[b"iloc"]):
        start = extent.start + (inner.content if extent.is_inside and inner else 0)
        is_shown = read(file, types[extent.item], 4) in _IMAGES
        (shown if is_shown else others).append(ByteRange(start, start + extent.length))
    moves = any(box.name == b"moov" for box in top)
    for box in top:
        if box.name not in _TOP:
            yield from _freed(box)
        elif box.name == b"mdat" and not moves:
            yield from _all_but(shown, box)
        elif box.name == b"moov":
            yield from _without_words(file, box)
    if moves:  # tables of samples lead to the rest
        yield from (_Change(part.start, part.stop, None) for part in others)
    for box in inside(file, meta):
        if box.name not in _IN_META:
            yield from _freed(box)
        elif box.name == b"idat" and not moves:
            yield from _all_but(shown, box)
        elif box.name == b"iprp":
            yield from _without_words(file, box)
    for at in types.values():
        if read(file, at, 4) not in _IMAGES:
            yield _Change(at, at + 4, _NO_TYPE)


def _freed(box: Box) -> Iterator[_Change]:
    yield _Change(box.start + 4, box.start + 8, _FREE)
    if box.end > box.content:
        yield _Change(box.content, box.end, None)


def _all_but(shown: list[ByteRange], box: Box) -> Iterator[_Change]:
    """Yield what of a box isn't one of some ranges."""
    at = box.content
    for part in sorted(shown, key=lambda part: part.start):
        if box.content <= part.start < box.end:
            if part.start > at:
                yield _Change(at, part.start, None)
            at = max(at, part.stop)
    if at < box.end:
        yield _Change(at, box.end, None)


def _without_words(file: BinaryIO, box: Box) -> Iterator[_Change]:
    for inner in inside(file, box):
        if inner.name in _WORDS or inner.name in {b"udta", b"meta"}:
            yield from _freed(inner)
        elif inner.name in {b"ipco", b"trak"}:
            yield from _without_words(file, inner)


def _types(file: BinaryIO, table: Box) -> Iterator[tuple[int, int]]:
    """Yield the items of an ``iinf``, each with the offset of its type."""
    counted = 2 if read(file, table.content, 1)[0] == 0 else 4
    for entry in boxes(file, table.content + 4 + counted, table.end):
        version = read(file, entry.content, 1)[0]
        if entry.name != b"infe" or version not in {2, 3}:
            raise ValueError(entry.name)
        size = 2 if version == 2 else 4  # noqa: PLR2004
        yield int.from_bytes(read(file, entry.content + 4, size)), entry.content + 6 + size


def _extents(file: BinaryIO, table: Box) -> Iterator[_Extent]:
    """Yield where the bytes of items are, by an ``iloc`` (ISO/IEC 14496-12, 8.11.3)."""
    data = read(file, table.content, min(table.end - table.content, _LARGEST_TABLE))
    at = 0

    def take(size: int) -> int:
        nonlocal at
        at += size
        return int.from_bytes(data[at - size : at])

    version = take(1)
    take(3)  # flags
    sizes = take(2)
    of_offset, of_length, of_base, of_index = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    wide = 4 if version == 2 else 2  # noqa: PLR2004
    for _ in range(take(wide)):
        item = take(wide)
        method = take(2) & 15 if version else 0
        take(2)  # of the file itself
        base = take(of_base)
        for _ in range(take(2)):
            take(of_index if version else 0)
            start, length = base + take(of_offset), take(of_length)
            if method > 1 or length == 0 or at > len(data):
                raise ValueError(item)
            yield _Extent(item, bool(method), start, length)
