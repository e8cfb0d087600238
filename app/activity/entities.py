"""What the log of events says. Times are in UTC microseconds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.events.entities import EventType, Subject


@dataclass(frozen=True, slots=True)
class Entry:
    """An event in an account's log."""

    uuid: str
    type: str
    account: str
    """Uuid of the account whose log it is in."""
    username: str
    """That account's."""
    created_at: int
    last_at: int
    """When the last came of several that are counted in one entry."""
    count: int
    address: str | None
    actor: Mapping[str, str]
    """The account, session or key that did it; empty: a visitor, or the service."""
    subject: Subject | None
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Filters:
    """Which entries are wanted; None: all."""

    types: Sequence[EventType] = ()
    """Those of any of these; none: of all."""
    account: str | None = None
    """Uuid of the account whose log they are in; for administrators."""


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest entries of an account's log, by their ids."""

    account: str
    """What topics call the account."""
    ids: tuple[int, ...]
    """The oldest of them first."""
    expires_at: int | None = None

    @property
    def version(self) -> str:
        """Which changes with each entry."""
        return str(hash(self.ids))
