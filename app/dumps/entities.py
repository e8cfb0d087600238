"""Dumps as the rest of the service knows them; times in UTC microseconds, sizes in bytes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from app.errors import Gone
from app.objects.entities import Content, Received, new_uuid

KIND: Final = "dumps"
MAX_LABEL: Final = 255
MAX_NAME: Final = 255
MAX_DESCRIPTION: Final = 10_000
MAX_RETENTION: Final = 100 * 365 * 86_400
"""Seconds that a dump with an expiry may be kept."""


@dataclass(frozen=True, slots=True)
class Dump:
    """A dump without its bytes."""

    number: int
    """Its id for clients that know integers alone; never reused."""
    uuid: str
    original_name: str
    label: str | None
    version: str | None
    """Of the application that crashed."""
    description: str
    archived: bool
    annotations: Mapping[str, str]
    created_at: int
    modified_at: int
    expires_at: int | None
    report_state: str
    """``pending``, ``read``, ``failed``, or ``none`` for what is no minidump."""
    platform: str | None
    architecture: str | None
    exception: str | None
    module: str | None
    signature: str | None
    dropped_at: int | None
    """When its bytes were dropped, since enough dumps alike have theirs; None: they are there."""
    content: Content

    def require_bytes(self) -> None:
        """Raise `Gone` if its bytes were dropped."""
        if self.dropped_at is not None:
            raise Gone(
                "The bytes of this dump were dropped: enough of its signature and version are kept"
            )


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that was sent with a dump."""

    uuid: str
    field: str
    """The form field that it was sent in."""
    name: str
    content_type: str
    content: Content


@dataclass(frozen=True, slots=True)
class DumpDetails:
    """A dump with its report and its attachments, in the order that they were sent in."""

    dump: Dump
    report: Mapping[str, Any]
    """What the minidump says, or an ``error``; empty until it is read."""
    attachments: Sequence[Attachment]


@dataclass(frozen=True, slots=True)
class NewDump:
    """A dump to be created, but for its file."""

    label: str | None = None
    description: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    retention: int | None = None
    """Seconds until it expires; None: never."""
    version: str | None = None
    uuid: str = field(default_factory=new_uuid)


@dataclass(frozen=True, slots=True)
class DumpFile:
    """The file of a dump, received but not committed."""

    name: str
    is_minidump: bool
    received: Received


@dataclass(frozen=True, slots=True)
class NewAttachment:
    """An attachment to be created, received but not committed."""

    field: str
    name: str
    content_type: str
    received: Received


@dataclass(frozen=True, slots=True)
class Filters:
    """Conditions on dumps, all of which must hold; None: no condition."""

    label: str | None = None
    q: str | None = None
    archived: bool | None = None
    since: int | None = None
    until: int | None = None
    platform: str | None = None
    architecture: str | None = None
    exception: str | None = None
    module: str | None = None
    signature: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    """Dumps with the same label."""

    name: str
    count: int
    size: int
    """Of all of them, without their attachments."""
    first_seen: int
    last_seen: int


@dataclass(frozen=True, slots=True)
class Counts:
    """Counts of dumps over some days in UTC, ended by today."""

    days: Sequence[tuple[date, int]]
    """Each day with its count, oldest first."""
    versions: Sequence[tuple[str, int]] = ()
    """Versions with their counts, the newest first; of a signature's dumps alone."""
    platforms: Sequence[tuple[str, int]] = ()
    """Platforms likewise, the most frequent first."""
    newest: int | None = None
    """How many were counted, where there may be more, which are older; None: all."""

    @property
    def total(self) -> int:
        return sum(count for _, count in self.days)
