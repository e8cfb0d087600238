"""The order of versions, as people number releases.

Numbers and words are compared one after the other, whatever is between them: numbers by value,
words by the alphabet and without case. What is missing counts as 0, and a word comes before any
number, so that ``2.0-rc1`` < ``2.0`` = ``2`` < ``2.0.1`` and ``1.9`` < ``1.10``. A ``v`` in front
and what follows a ``+`` (SemVer's build metadata) say nothing.
"""

import re
from collections.abc import Iterable
from functools import cmp_to_key, lru_cache
from itertools import zip_longest
from typing import Final

MAX_VERSION: Final = 100
"""Characters of a version."""

_PARTS: Final = re.compile(r"[0-9]+|[^\W\d_]+")
_ABSENT: Final = (1, 0, "")


def is_later(version: str, other: str) -> bool:
    """Tell whether a version comes after another; equal ones don't, however they are written."""
    return _compare(version, other) > 0


def newest_first(versions: Iterable[str]) -> list[str]:
    """Return versions, the newest first; equal ones by how they are written."""
    return sorted(sorted(versions), key=cmp_to_key(_compare), reverse=True)


def _compare(version: str, other: str) -> int:
    for one, two in zip_longest(_parts(version), _parts(other), fillvalue=_ABSENT):
        if one != two:
            return 1 if one > two else -1
    return 0


@lru_cache(maxsize=1024)
def _parts(version: str) -> tuple[tuple[int, int, str], ...]:
    """Return what is compared; zeros before a word are left out, as in 2.0-rc1."""
    text = version.partition("+")[0].casefold().removeprefix("v")
    parts: list[tuple[int, int, str]] = []
    for part in _PARTS.findall(text):
        if part.isdecimal():
            parts.append((1, int(part), ""))
            continue
        while parts[-1:] == [_ABSENT]:
            parts.pop()
        parts.append((0, 0, part))
    return tuple(parts)
