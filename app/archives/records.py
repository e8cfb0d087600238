"""The records of a ZIP (PKWARE's APPNOTE 6.3.10), of members that are stored as they are.

CRC-32 and sizes stand before the bytes, so that a reader needs no data descriptors. Sizes and
offsets past 32 bits, and more members than 16 bits count, are in ZIP64 records.
"""

import struct
from dataclasses import dataclass
from typing import Final

from app import clock

_MAX_16: Final = 0xFFFF
_MAX_32: Final = 0xFFFFFFFF
_PLAIN: Final = 20  # versions of the format that a reader must know
_ZIP64: Final = 45
_MADE_BY: Final = 3 << 8 | _ZIP64  # Unix, so that the mode counts
_UTF_8: Final = 1 << 11
_MODE: Final = 0o100644 << 16
_DOS_YEARS: Final = range(1980, 2108)
_TIME_ENDS: Final = (1 << 31) * clock.SECOND  # of seconds in 32 bits with a sign

_local: Final = struct.Struct("<IHHHHHIIIHH")
_central: Final = struct.Struct("<IHHHHHHIIIHHHHHII")
_time_extra: Final = struct.Struct("<HHBi")
_end: Final = struct.Struct("<IHHHHIIH")
_end_64: Final = struct.Struct("<IQHHIIQQQQ")
_locator_64: Final = struct.Struct("<IIQI")


@dataclass(frozen=True, slots=True)
class Member:
    """What the records say of a member beside its CRC-32; its name is UTF-8."""

    name: bytes
    size: int
    modified_at: int

    @property
    def header_size(self) -> int:
        """The size of its local header."""
        return _local.size + len(self.name) + self._time_size + (20 if self._is_large else 0)

    def entry_size(self, offset: int) -> int:
        """Return the size of its entry in the central directory."""
        return _central.size + len(self.name) + self._time_size + len(self._large(offset))

    def header(self, crc32: int) -> bytes:
        """Return its local header (4.3.7)."""
        extra = self._time()
        if self._is_large:  # a local header has both sizes (4.5.3)
            extra = _extra_64(self.size, self.size) + extra
        size = min(self.size, _MAX_32)
        needed = _ZIP64 if self._is_large else _PLAIN
        fixed = (needed, _UTF_8, 0, *_dos_time(self.modified_at), crc32, size, size)
        return _local.pack(0x04034B50, *fixed, len(self.name), len(extra)) + self.name + extra

    def entry(self, crc32: int, offset: int) -> bytes:
        """Return its entry in the central directory (4.3.12); its header is at ``offset``."""
        large = self._large(offset)
        extra, size = large + self._time(), min(self.size, _MAX_32)
        needed = _ZIP64 if large else _PLAIN
        fixed = (needed, _UTF_8, 0, *_dos_time(self.modified_at), crc32, size, size)
        lengths = (len(self.name), len(extra), 0)
        rest = (0, 0, _MODE, min(offset, _MAX_32))
        return _central.pack(0x02014B50, _MADE_BY, *fixed, *lengths, *rest) + self.name + extra

    @property
    def _is_large(self) -> bool:
        return self.size >= _MAX_32

    def _large(self, offset: int) -> bytes:
        """Return the ZIP64 field of an entry, which has only what doesn't fit elsewhere."""
        sizes = (self.size, self.size) if self._is_large else ()
        values = (*sizes, offset) if offset >= _MAX_32 else sizes
        return _extra_64(*values) if values else b""

    def _time(self) -> bytes:
        """Return the field with the time in UTC (Info-ZIP's "UT"): DOS times have no zone."""
        seconds = self.modified_at // clock.SECOND
        return _time_extra.pack(0x5455, 5, 1, seconds) if self._time_size else b""

    @property
    def _time_size(self) -> int:
        return _time_extra.size if 0 <= self.modified_at < _TIME_ENDS else 0


def end_size(count: int, directory_size: int, directory_at: int) -> int:
    """Return the size of what follows the central directory."""
    large = _needs_64(count, directory_size, directory_at)
    return _end.size + (_end_64.size + _locator_64.size if large else 0)


def end(count: int, directory_size: int, directory_at: int) -> bytes:
    """Return what follows the central directory, with ZIP64's records where it needs them."""
    counts, places = (min(count, _MAX_16),) * 2, (directory_size, directory_at)
    plain = _end.pack(0x06054B50, 0, 0, *counts, *(min(place, _MAX_32) for place in places), 0)
    if not _needs_64(count, directory_size, directory_at):
        return plain
    versions = (_MADE_BY, _ZIP64)
    large = _end_64.pack(0x06064B50, _end_64.size - 12, *versions, 0, 0, count, count, *places)
    return large + _locator_64.pack(0x07064B50, 0, directory_at + directory_size, 1) + plain


def _needs_64(count: int, directory_size: int, directory_at: int) -> bool:
    return count >= _MAX_16 or max(directory_size, directory_at) >= _MAX_32


def _extra_64(*values: int) -> bytes:
    return struct.pack(f"<HH{len(values)}Q", 1, 8 * len(values), *values)


def _dos_time(microseconds: int) -> tuple[int, int]:
    """Return a moment as time and date of DOS, in UTC; the nearest one if it has none such."""
    moment = clock.to_datetime(microseconds)
    if moment.year < _DOS_YEARS.start:
        return 0, 1 << 5 | 1
    year = min(moment.year, _DOS_YEARS[-1]) - _DOS_YEARS.start
    time = moment.hour << 11 | moment.minute << 5 | moment.second // 2
    return time, year << 9 | moment.month << 5 | moment.day
