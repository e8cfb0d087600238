"""What a file is: handed on by a link of its own for a while, or kept for good."""

from dataclasses import dataclass, field
from typing import Final

from app.links.entities import LinkRef, NewLink
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
    uuid: str = field(default_factory=new_uuid)


@dataclass(frozen=True, slots=True)
class Lifetime:
    """The expiry of a file, None: it is kept; and the link that it gets if it has none."""

    expires_at: int | None
    link: NewLink | None


KEPT: Final = Lifetime(expires_at=None, link=None)


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
    content: Content


@dataclass(frozen=True, slots=True)
class Evicted:
    """The file that one more would evict."""

    uuid: str
    name: str
