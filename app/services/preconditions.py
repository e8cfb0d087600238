"""Preconditions of a write (RFC 9110 §13), checked in the transaction that writes."""

from dataclasses import dataclass

from app.errors import PreconditionFailed


@dataclass(frozen=True, slots=True)
class Preconditions:
    """What a request demands of the current state; entity tags are hex digests, ``*`` is any."""

    if_match: frozenset[str] | None = None
    if_none_match: frozenset[str] | None = None

    def check(self, current: str | None) -> None:
        """Raise `PreconditionFailed` unless they hold; ``current`` is None where nothing is."""
        if self.if_match is not None and not _matches(self.if_match, current):
            raise PreconditionFailed("If-Match does not hold")
        if self.if_none_match is not None and _matches(self.if_none_match, current):
            raise PreconditionFailed("If-None-Match does not hold")


def _matches(tags: frozenset[str], current: str | None) -> bool:
    return current is not None and ("*" in tags or current in tags)
