"""The memory of a process that has ended, as far as its dump has it."""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

_PIECE: Final = 16 * 1024  # bytes read at once
_MAX_PIECES: Final = 256  # kept, 4 MiB


class Range(NamedTuple):
    """A range of memory: its address, its size, and where its bytes are in the file."""

    start: int
    size: int
    place: int


class Memory:
    """Reads memory in pieces, a few of which are kept: a dump may have gigabytes of it.

    Of ranges that overlap, one that lies within another is left out. ``read`` returns bytes of the
    file, given their place and number.
    """

    def __init__(self, ranges: Iterable[Range], read: Callable[[int, int], bytes]) -> None:
        self._ranges: list[Range] = []
        self._read = read
        self._pieces: dict[int, bytes] = {}
        end = 0
        for found in sorted(ranges, key=lambda each: (each.start, -each.size)):
            if found.start + found.size > end:
                self._ranges.append(found)
                end = found.start + found.size
        self._starts = [found.start for found in self._ranges]

    def word(self, address: int, width: int) -> int | None:
        """Return the number of ``width`` bytes at an address; None if the dump lacks it."""
        found = self._range(address)
        if found is None or address + width > found.start + found.size:
            return None
        place = found.place + address - found.start
        start = place % _PIECE
        data = self._piece(place // _PIECE)[start : start + width]
        if len(data) < width:  # it continues in the next piece, or the file has ended
            data = self._read(place, width)
        return int.from_bytes(data, "little") if len(data) == width else None

    def around(self, address: int, before: int, after: int) -> tuple[int, bytes]:
        """Return the bytes around an address, as far as the dump has them, and where they start."""
        found = self._range(address)
        if found is None:
            return address, b""
        start = max(found.start, address - before)
        end = min(found.start + found.size, address + after)
        return start, self._read(found.place + start - found.start, end - start)

    def has(self, address: int) -> bool:
        """Tell whether the dump has the byte at an address."""
        return self._range(address) is not None

    def _range(self, address: int) -> Range | None:
        index = bisect_right(self._starts, address) - 1
        if index < 0:
            return None
        found = self._ranges[index]
        return found if address < found.start + found.size else None

    def _piece(self, number: int) -> bytes:
        piece = self._pieces.get(number)
        if piece is None:
            if len(self._pieces) == _MAX_PIECES:
                self._pieces.clear()
            piece = self._pieces[number] = self._read(number * _PIECE, _PIECE)
        return piece
