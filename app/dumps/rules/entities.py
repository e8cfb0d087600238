"""Rules as the rest of the service knows them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.dumps.signatures.own_rules import MAX_LINE, MAX_LINES

MAX_TEXT: Final = MAX_LINES * (MAX_LINE + 2)
"""Characters of all rules, with the ends of lines."""

MAX_TRIED: Final = 500
"""Dumps that rules are tried with."""


@dataclass(frozen=True, slots=True)
class Rules:
    """An account's own rules for signatures."""

    text: str
    revision: int
    """Counts the changes; 0: the account never had rules."""
    is_off: bool
    """Whether the service stopped using them, because they took too long."""
    is_applying: bool
    """Whether dumps that are there are yet to get signatures by them."""
    modified_at: int | None

    @property
    def in_force(self) -> str:
        """The text that signatures are made by."""
        return "" if self.is_off else self.text


NO_RULES: Final = Rules("", 0, is_off=False, is_applying=False, modified_at=None)


@dataclass(frozen=True, slots=True)
class Change:
    """What rules change: dumps that have one signature, and would have another."""

    now: str | None
    then: str | None
    dumps: int


@dataclass(frozen=True, slots=True)
class Trial:
    """What rules would change of the newest dumps."""

    tried: int
    """How many dumps were looked at."""
    changed: int
    changes: Sequence[Change]
    """The most frequent first."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A dump's report, from which its signature can be made again."""

    id: int
    report: str
    """JSON."""
    signature: str | None
