"""A minidump as a file of tables: each is read up to a bound, and never outside the file.

The tables are those of Microsoft's ``minidumpapiset.h``; Breakpad and Crashpad write the same, with
numbers of their own for other systems.
"""

import codecs
import os
import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final, TypeVar

T = TypeVar("T")
D = TypeVar("D")

MAX_STREAMS: Final = 1024
_MAX_TEXT: Final = 8192  # bytes; a path is no longer
_HEADER: Final = struct.Struct("<4sIIIIIQ")
_DIRECTORY: Final = struct.Struct("<III")
_COUNT: Final = struct.Struct("<I")


class Unreadable(Exception):
    """A file is not a minidump, or a broken one; the message says how."""


class MinidumpFile:
    """The streams of one file, by their types; raises `Unreadable` when there are none.

    ``damaged`` says of each table that can't be read, or not wholly, what is wrong with it.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.damaged: list[str] = []
        self._file = file
        self._size = file.seek(0, os.SEEK_END)
        magic, _, count, directory, *_ = _HEADER.unpack(self.at(0, _HEADER.size, "header"))
        if magic != b"MDMP":
            raise Unreadable("it does not begin as a minidump does")
        entries = self._table(directory, count, _DIRECTORY.size, MAX_STREAMS, "directory")
        self._streams = {
            kind: (place, size)
            for kind, size, place in reversed([*map(_DIRECTORY.unpack, entries)])
        }
        if not self._streams:
            raise Unreadable("; ".join(self.damaged) or "it is empty")

    def attempt(self, read: Callable[[], T], otherwise: D) -> T | D:
        """Return what ``read`` does, or note why it can't."""
        try:
            return read()
        except Unreadable as error:
            self.damaged.append(str(error))
            return otherwise

    def stream(self, kind: int, size: int, name: str) -> bytes | None:
        """Return the first bytes of a stream; None if there is none, raises `Unreadable`."""
        if kind not in self._streams:
            return None
        place, length = self._streams[kind]
        if length < size:
            raise Unreadable(f"{name}: too short")
        return self.at(place, size, name)

    def entries(self, kind: int, size: int, most: int, name: str) -> list[bytes]:
        """Return the entries of a stream that begins with their number: those that are there."""
        head = self.stream(kind, _COUNT.size, name)
        if head is None:
            return []
        place, length = self._streams[kind]
        (count,) = _COUNT.unpack(head)
        # some writers align the first entry to 8 bytes
        start = 8 if length == 8 + count * size else 4
        within = max(0, length - start) // size
        return list(self._table(place + start, count, size, min(most, within), name))

    def _table(self, place: int, count: int, size: int, most: int, name: str) -> Iterator[bytes]:
        found = min(count, most, max(0, self._size - place) // size)
        if found < count:
            self.damaged.append(f"{name}: {found} of {count} can be read")
        data = self.at(place, found * size, name) if found else b""
        return (data[n : n + size] for n in range(0, len(data), size))

    def text(self, place: int) -> str | None:
        """Return a text of UTF-16, without what no text holds; None: it is outside the file."""
        if not 0 < place <= self._size - _COUNT.size:
            return None
        (length,) = _COUNT.unpack(self.at(place, _COUNT.size, "text"))
        length = min(length, _MAX_TEXT, self._size - place - _COUNT.size) & ~1
        data = self.at(place + _COUNT.size, length, "text")
        text, _ = codecs.utf_16_le_decode(
            data, "replace"
        )  # by its name, it would have to be loaded
        return "".join(c if c.isprintable() else " " for c in text).strip()

    def at(self, place: int, size: int, name: str) -> bytes:
        """Return bytes of the file; raises `Unreadable` where some are outside."""
        if place + size > self._size:
            raise Unreadable(f"{name}: cut off, or outside the file")
        self._file.seek(place)
        return self._file.read(size)
