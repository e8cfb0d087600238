"""Signatures as the rest of the service knows them; times in UTC microseconds, sizes in bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app import clock
from app.dumps.entities import Counts
from app.dumps.versions import MAX_VERSION

DAY: Final = 24 * 60 * clock.MINUTE
RECENT: Final = 14
"""Days of which a list has counts."""

MAX_NOTE: Final = 10_000
MAX_RESOLVED_IN: Final = MAX_VERSION
_NEW: Final = 7 * DAY


class State(StrEnum):
    """What is to be done about the bug behind a signature."""

    OPEN = "open"
    IGNORED = "ignored"
    RESOLVED = "resolved"


class Sort(StrEnum):
    """What a list is sorted by: the name from A, all else from the highest."""

    NAME = "name"
    LAST_SEEN = "last_seen"
    FIRST_SEEN = "first_seen"
    COUNT = "count"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Conditions on signatures, and their order; None: no condition."""

    state: State | None = None
    q: str | None = None
    """A part of the name, in any case."""
    sort: Sort = Sort.NAME


@dataclass(frozen=True, slots=True)
class Signature:
    """What equal crashes have in common, and what has become of it."""

    uuid: str
    name: str
    state: State
    resolved_in: str | None
    """The version that has the fix, as people say; None: not said."""
    resolved_at: int | None
    regressed_in: str | None
    """The version of the crash that opened a resolved one again, if that is known."""
    regressed_at: int | None
    """When that crash came; None: none did."""
    note: str
    first_seen_at: int
    last_seen_at: int
    modified_at: int
    count: int
    """Of the dumps that are there."""
    size: int
    """Of these, without their attachments."""
    gone: int
    """How many dumps it had that are no more."""

    @property
    def total(self) -> int:
        """How many dumps it ever had."""
        return self.count + self.gone

    @property
    def is_regression(self) -> bool:
        return self.state is State.OPEN and self.regressed_at is not None

    def is_new(self, now: int) -> bool:
        """Tell whether it was first seen in the last 7 days, and nobody has dealt with it."""
        fresh = self.first_seen_at > now - _NEW
        return fresh and self.state is State.OPEN and self.regressed_at is None


@dataclass(frozen=True, slots=True)
class Listed:
    """A signature in a list, with its dumps of the last `RECENT` days."""

    signature: Signature
    recent: Sequence[int]
    """Counts of the days in UTC, the oldest first, the last one today."""
    versions: Sequence[tuple[str, int]]
    """Versions with their counts, the newest first."""


@dataclass(frozen=True, slots=True)
class Details:
    """A signature with the counts of some days."""

    signature: Signature
    counts: Counts
