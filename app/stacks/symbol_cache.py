"""Caches of symbols: what walking a stack needs of a symbol file, to be mapped into memory.

A cache has functions and lines (a SymCache, as the library ``symbolic`` makes it), rules for
unwinding as text, and an index of these by address, so that a look-up reads a few pages of it.
"""

import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

MAGIC: Final = b"HOLDSYM1"
_FOOTER: Final = struct.Struct("<QQQQQ8s")
_ENTRY: Final = struct.Struct("<QQQII")
_ALIGNED: Final = 8
CFI, FRAME_DATA, FPO = 0, 1, 2
"""Kinds of rules: STACK CFI, and the two of STACK WIN, types 4 and 0."""

_MAX_ENTRIES: Final = 8_000_000
_BACK: Final = 16  # rules that are looked at for one that covers an address: ranges may be nested


class BadCache(Exception):
    """A file is no cache, or a damaged one."""


@dataclass(frozen=True, slots=True)
class Rules:
    """Rules for unwinding that cover an address: lines of a Breakpad symbol file."""

    kind: int
    lines: tuple[str, ...]


def write(out: BinaryIO, functions: bytes, rules: bytes) -> None:
    """Write a cache of a SymCache, which may be empty, and of rules as text."""
    out.write(functions)
    out.write(bytes(-len(functions) % _ALIGNED))
    index = len(functions) + -len(functions) % _ALIGNED
    entries = sorted(_index(rules))
    for kind, start, end, place, length in entries:
        out.write(_ENTRY.pack(start, end, place, length, kind))
    text = index + len(entries) * _ENTRY.size
    out.write(rules)
    out.write(_FOOTER.pack(len(functions), index, len(entries), text, len(rules), MAGIC))


def _index(rules: bytes) -> Iterator[tuple[int, int, int, int, int]]:
    """Yield the kind, the range of addresses and the place in the text of each set of rules."""
    place = begun = 0
    current: tuple[int, int] | None = None  # the range of the CFI that is being read
    count = 0
    while place < len(rules) and count < _MAX_ENTRIES:
        end = rules.find(b"\n", place)
        end = len(rules) if end < 0 else end
        found = _parse(rules[place:end])
        continues = found is None and rules.startswith(b"STACK CFI ", place)
        if current is not None and not continues:
            yield CFI, *current, begun, place - begun
            current = None
            count += 1
        if found is not None:
            kind, start, size = found
            if kind == CFI:
                current, begun = (start, start + size), place
            else:
                yield kind, start, start + size, place, end - place
                count += 1
        place = end + 1
    if current is not None:
        yield CFI, *current, begun, min(place, len(rules)) - begun


def _parse(line: bytes) -> tuple[int, int, int] | None:
    """Return the kind, the address and the size of rules; None: the line begins none."""
    words = line.split(None, 5)
    try:
        match words:
            case [b"STACK", b"CFI", b"INIT", start, size, *_]:
                return CFI, int(start, 16), int(size, 16)
            case [b"STACK", b"WIN", kind, start, size, *_] if kind in {b"0", b"4"}:
                return FRAME_DATA if kind == b"4" else FPO, int(start, 16), int(size, 16)
    except ValueError:
        pass
    return None


class SymbolCache:
    """A cache in memory, mostly mapped; raises `BadCache` for what is none."""

    def __init__(self, data: memoryview) -> None:
        if len(data) < _FOOTER.size:
            raise BadCache
        functions, index, count, text, length, magic = _FOOTER.unpack(data[-_FOOTER.size :])
        is_whole = functions <= index and index + count * _ENTRY.size == text
        if magic != MAGIC or not is_whole or text + length + _FOOTER.size != len(data):
            raise BadCache
        self.functions = data[:functions]
        """The SymCache; empty: there is none."""
        self._data = data
        self._index = index
        self._count = count
        self._text = text
        self._length = length

    @property
    def has_cfi(self) -> bool:
        """Whether it has rules of the kind that compilers give all functions."""
        return self._count > 0 and self._entry(0)[4] == CFI

    def rules(self, offset: int) -> Rules | None:
        """Return the rules that cover an offset in the module: CFI, or else those of Windows."""
        for kind in (CFI, FRAME_DATA, FPO):
            if (found := self._covering(kind, offset)) is not None:
                place, length = found
                if place + length > self._length:
                    raise BadCache
                text = bytes(self._data[self._text + place : self._text + place + length])
                return Rules(kind, tuple(text.decode("ascii", "replace").splitlines()))
        return None

    def _covering(self, kind: int, offset: int) -> tuple[int, int] | None:
        after = bisect_right(range(self._count), (kind, offset), key=self._key)
        for number in range(after - 1, max(-1, after - 1 - _BACK), -1):
            start, end, place, length, its_kind = self._entry(number)
            if its_kind != kind:
                return None
            if start <= offset < end:
                return place, length
        return None

    def _key(self, number: int) -> tuple[int, int]:
        start, _, _, _, kind = self._entry(number)
        return kind, start

    def _entry(self, number: int) -> tuple[int, int, int, int, int]:
        entry = _ENTRY.unpack_from(self._data, self._index + number * _ENTRY.size)
        start, end, place, length, kind = entry
        return start, end, place, length, kind
