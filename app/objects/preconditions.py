"""Preconditions of a write (RFC 9110 §13), checked in the transaction that writes."""

from dataclasses import dataclass
from typing import Final

from app import clock
from app.errors import PreconditionFailed


@dataclass(frozen=True, slots=True)
class State:
    """The current state of a resource: its entity tag, and when it was modified (microseconds)."""

    tag: str
    modified_at: int


@dataclass(frozen=True, slots=True)
class Preconditions:
    """The preconditions of a request; entity tags are hex digests, ``*`` matches any."""

    if_match: frozenset[str] | None = None
    if_none_match: frozenset[str] | None = None
    if_unmodified_since: int | None = None  # seconds; counts only without If-Match

    def check(self, current: State | None) -> None:
        """Raise `PreconditionFailed` unless they hold; ``current`` is None if nothing is there."""
        if self.if_match is not None:
            if not _matches(self.if_match, current):
                raise PreconditionFailed("If-Match does not hold")
        elif self._is_modified(current):
            raise PreconditionFailed("If-Unmodified-Since does not hold")
        if self.if_none_match is not None and _matches(self.if_none_match, current):
            raise PreconditionFailed("If-None-Match does not hold")

    def _is_modified(self, current: State | None) -> bool:
        since = self.if_unmodified_since
        return (
            since is not None
            and current is not None
            and current.modified_at // clock.SECOND > since
        )


NO_CONDITIONS: Final = Preconditions()


def _matches(tags: frozenset[str], current: State | None) -> bool:
    return current is not None and ("*" in tags or current.tag in tags)
