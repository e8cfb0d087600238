"""Minidump files: streams of tables, read within bounds and never outside the file.

The format is that of Microsoft's ``minidumpapiset.h``; Breakpad and Crashpad write it with numbers
of their own for other systems.
"""

import codecs
import os
import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO, Final, TypeVar

T = TypeVar("T")
D = TypeVar("D")

MAX_STREAMS: Final = 1024
_MAX_TEXT: Final = 8192  # bytes, more than any path has
_HEADER: Final = struct.Struct("<4sIIIIIQ")
_DIRECTORY: Final = struct.Struct("<III")
_COUNT: Final = struct.Struct("<I")


class Unreadable(Exception):
    """A file is no minidump, or a broken one; the message says why."""


class MinidumpFile:
    """The streams of a minidump, by type; raises `Unreadable` if there are none.

    ``damaged`` says what is wrong with each table that can't be read, or only in part.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.damaged: list[str] = []
        self._file = file
        self.size = file.seek(0, os.SEEK_END)
        """In bytes."""
        magic, _, count, directory, _, written_at, _ = _HEADER.unpack(
            self.at(0, _HEADER.size, "header")
        )
        self.written_at: int = written_at
        """When it was written, in seconds of Unix time; 0: not known."""
        if magic != b"MDMP":
            raise Unreadable("it does not start as a minidump does")
        entries = self._table(directory, count, _DIRECTORY.size, MAX_STREAMS, "directory")
        self._streams = {
            stream_type: (place, size)
            for stream_type, size, place in reversed([*map(_DIRECTORY.unpack, entries)])
        }
        if not self._streams:
            raise Unreadable("; ".join(self.damaged) or "it is empty")

    def attempt(self, read: Callable[[], T], otherwise: D) -> T | D:
        """Return the result of ``read``; if it raises `Unreadable`, note why."""
        try:
            return read()
        except Unreadable as error:
            self.damaged.append(str(error))
            return otherwise

    def stream(self, stream_type: int, size: int, name: str) -> bytes | None:
        """Return the first ``size`` bytes of a stream, or None if it is absent."""
        if stream_type not in self._streams:
            return None
        place, length = self._streams[stream_type]
        if length < size:
            raise Unreadable(f"{name}: too short")
        return self.at(place, size, name)

    def entries(self, stream_type: int, size: int, most: int, name: str) -> list[bytes]:
        """Return the entries of a stream that starts with their count, as far as they are there."""
        head = self.stream(stream_type, _COUNT.size, name)
        if head is None:
            return []
        place, length = self._streams[stream_type]
        (count,) = _COUNT.unpack(head)
        # some writers align the entries to 8 bytes
        start = 8 if length == 8 + count * size else 4
        within = max(0, length - start) // size
        return list(self._table(place + start, count, size, min(most, within), name))

    def entries_after(
        self, stream_type: int, start: int, count: int, size: int, most: int, name: str
    ) -> list[bytes]:
        """Return the entries of a stream that says itself where they start, and their size."""
        place, length = self._streams[stream_type]
        within = max(0, length - start) // size
        return list(self._table(place + start, count, size, min(most, within), name))

    def _table(self, place: int, count: int, size: int, most: int, name: str) -> Iterator[bytes]:
        found = min(count, most, max(0, self.size - place) // size)
        if found < count:
            self.damaged.append(f"{name}: {found} of {count} can be read")
        data = self.at(place, found * size, name) if found else b""
        return (data[n : n + size] for n in range(0, len(data), size))

    def text(self, place: int) -> str | None:
        """Return a UTF-16 text, with control characters as blanks; None: it is outside the file."""
        if not 0 < place <= self.size - _COUNT.size:
            return None
        (length,) = _COUNT.unpack(self.at(place, _COUNT.size, "text"))
        length = min(length, _MAX_TEXT, self.size - place - _COUNT.size) & ~1
        return decoded(self.at(place + _COUNT.size, length, "text"))

    def available(self, place: int, size: int) -> bytes:
        """Return bytes of the file, as far as it goes."""
        self._file.seek(min(place, self.size))
        return self._file.read(size)

    def at(self, place: int, size: int, name: str) -> bytes:
        """Return bytes of the file; raises `Unreadable` if some are outside."""
        if place + size > self.size:
            raise Unreadable(f"{name}: cut off, or outside the file")
        self._file.seek(place)
        return self._file.read(size)


def decoded(data: bytes) -> str:
    """Return a UTF-16 text, with control characters as blanks."""
    # ``decode("utf-16-le")`` would import a module, which a confined child can't
    text, _ = codecs.utf_16_le_decode(data, "replace")
    return printable(text)


def printable(text: str) -> str:
    """Return a text with control characters as blanks."""
    return "".join(c if c.isprintable() else " " for c in text).strip()
