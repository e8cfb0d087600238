"""What a file is: handed on by a link of its own for a while, or kept for good."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from app.links.entities import LinkRef, Origin, Sharing
from app.objects.entities import Content, new_uuid

KIND: Final = "files"
MAX_LIFETIME: Final = 100 * 365 * 86_400
"""Seconds that a file which expires may live at most."""

ANY: Final = "any"
NONE: Final = "none"
"""What may be evicted for one more file: those that expire first, or nothing."""


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that is to be made, except its bytes."""

    name: str
    content_type: str
    expires_in: int | None = None
    """Seconds that it lives; 0: it is kept, None: the usual time."""
    evict: str = ANY
    """What may be evicted for it if it expires: `ANY`, `NONE`, or one file by its uuid."""
    max_downloads: int | None = None
    """How many its link allows; it goes with the last. None: by its account's tier."""
    password_hash: str | None = None
    """Of its link."""
    note: str | None = None
    """To whoever opens its link."""
    clamp: bool = False
    """Whether what its account's tier doesn't allow is lowered instead of refused."""
    uuid: str = field(default_factory=new_uuid)


@dataclass(frozen=True, slots=True)
class File:
    """A file; times in UTC microseconds."""

    number: int
    """Its identity for clients that count; never reused."""
    uuid: str
    name: str
    content_type: str
    created_at: int
    modified_at: int
    expires_at: int | None
    """None: it is kept."""
    link: LinkRef | None
    """A timelink to it."""
    sharing: Sharing
    """The options of that; none if there is no link."""
    content: Content
    origin: Origin | None = None
    """The inbox that it came by, if that is still there."""
    clamped: tuple[str, ...] = ()
    """Names of what was lowered when it was made."""


class FileSort(StrEnum):
    """What a list of files is sorted by."""

    NEWEST = "newest"
    NAME = "name"
    SIZE = "size"
    """The largest first."""
    ENDS = "ends"
    """What ends first comes first, and what is kept last."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which files are listed, and in which order."""

    text: str = ""
    """What their names contain."""
    sort: FileSort = FileSort.NEWEST
    expiring: bool | None = None
    """Only those that expire, or only those that are kept."""


ALL: Final = Wanted()


@dataclass(frozen=True, slots=True)
class Evicted:
    """The file that one more would evict."""

    uuid: str
    name: str
