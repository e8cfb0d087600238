"""Numbers and times in words, as people say them."""

from datetime import datetime
from typing import Final

_KIB: Final = 1024
_UNITS: Final = ("KiB", "MiB", "GiB", "TiB")
_MANY: Final = 100  # of a unit: a decimal more says nothing
_NEAR: Final = {-1: "yesterday", 0: "today", 1: "tomorrow"}
_WEEK: Final = 7  # days: from then on, the name of one would be that of another too


def plural(number: int, noun: str, several: str | None = None) -> str:
    """Return a number of things in words: ``1 byte``, ``2 bytes``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {several or f'{noun}s'}"


def size_in_words(size: int) -> str:
    """Return a number of bytes as people say it: ``1.5 MiB``."""
    if size < _KIB:
        return plural(size, "byte")
    value, units = size / _KIB, iter(_UNITS)
    unit = next(units)
    while value >= _KIB and unit != _UNITS[-1]:
        value, unit = value / _KIB, next(units)
    return f"{value:,.0f} {unit}" if value >= _MANY else f"{value:.1f} {unit}"


def time_in_words(seconds: int) -> str:
    """Return a time in its two largest units, rounded up to minutes: ``2 hours 5 minutes``."""
    if seconds < 60:  # noqa: PLR2004
        return "less than a minute"
    parts, minutes = [], -(-seconds // 60)
    for length, noun in ((24 * 60, "day"), (60, "hour"), (1, "minute")):
        count, minutes = divmod(minutes, length)
        if count:
            parts.append(plural(count, noun))
    return " ".join(parts[:2])


def moment_in_words(moment: datetime, now: datetime) -> str:
    """Return a moment as people say it who share a time zone: ``today 14:05``, ``3 Dec 2026``."""
    days = (moment.date() - now.date()).days
    if abs(days) >= _WEEK:
        return f"{moment:%-d %b %Y}"
    return f"{_NEAR.get(days) or f'{moment:%A}'} {moment:%H:%M}"
