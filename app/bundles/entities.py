"""What a bundle is: an ordered set of things under one link."""

from dataclasses import KW_ONLY, dataclass, field
from enum import StrEnum
from typing import Final

from app.database.pagination import Page
from app.links.entities import LinkRef, Origin, Sharing
from app.objects.entities import Content, new_uuid

KIND: Final = "bundles"
OBJECTS: Final = "files"
"""The kind of the objects that bundles own: they are files."""

MAX_MEMBERS: Final = 10_000
"""What one bundle may hold, so that its list and its archive stay within bounds."""

UNNAMED: Final = "Bundle"

PICTURE: Final = "picture"
"""The kind of the members of albums."""

OWN: Final = "file"
"""The kind of the members that a bundle owns."""


@dataclass(frozen=True, slots=True)
class NewBundle:
    """A bundle that is to be made, without members."""

    name: str = UNNAMED
    expires_in: int | None = None
    """Seconds that it lives; 0: it is kept, None: the usual time."""
    evict: str = "any"
    """What may be evicted for it if it expires, as for a file."""
    _: KW_ONLY
    max_downloads: int | None = None
    """How many its link allows; it goes with the last. None: by its account's tier."""
    password_hash: str | None = None
    """Of its link."""
    note: str | None = None
    """To whoever opens its link."""
    originals: bool = False
    """Whether its link gives pictures with all that is in their files."""
    clamp: bool = False
    """Whether what its account's tier doesn't allow is lowered instead of refused."""
    delivery: bytes | None = None
    """Of one that comes by an inbox in several uploads: a hash that tells which belong to it."""
    uuid: str = field(default_factory=new_uuid)


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle without its members; times in UTC microseconds."""

    id: int
    uuid: str
    name: str
    is_open: bool
    """Whether more may be added."""
    created_at: int
    modified_at: int
    expires_at: int | None
    """None: it is kept."""
    link: LinkRef | None
    """Its own link, or else the newest; None: it has none."""
    sharing: Sharing
    """The options of that; none if there is no link."""
    count: int
    """How many members it has."""
    size: int
    """The bytes of all."""
    origin: Origin | None = None
    """The inbox that it came by, if that is still there."""
    clamped: tuple[str, ...] = ()
    """Names of what was lowered when it was made."""


class BundleSort(StrEnum):
    """What a list of bundles is sorted by."""

    NEWEST = "newest"
    NAME = "name"
    ENDS = "ends"
    """What ends first comes first, and what is kept last."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which bundles are listed, and in which order."""

    text: str = ""
    """What their names contain."""
    sort: BundleSort = BundleSort.NEWEST
    expiring: bool | None = None
    """Only those that expire, or only those that are kept."""


ALL: Final = Wanted()


@dataclass(frozen=True, slots=True)
class Album:
    """A bundle of pictures alone."""

    bundle: Bundle
    cover: str | None
    """The id on the wire of the first of its pictures; None: it has just been deleted."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A bundle as the visitors of its link see it, with a page of its members."""

    name: str
    is_open: bool
    """Whether more may come."""
    count: int
    size: int
    members: Page["Member"]


@dataclass(frozen=True, slots=True)
class NewMember:
    """A file that is to be a bundle's own, except its bytes."""

    name: str
    content_type: str
    uuid: str = field(default_factory=new_uuid)


@dataclass(frozen=True, slots=True)
class Member:
    """A member of a bundle."""

    id: int
    uuid: str
    bundle: str
    """The uuid of its bundle."""
    kind: str
    """The type of its target; a bundle's own files are of the type ``file``."""
    target: str | None
    """The id on the wire of the thing that it points to; None: the bundle owns it."""
    name: str
    """Its name, which no other member of the bundle has; a path of several segments is relative."""
    content_type: str
    created_at: int
    content: Content
    bare: str | None
    """What strangers get of it unless originals are shared, see `app.links.targets`."""

    @property
    def file_name(self) -> str:
        return self.name.rpartition("/")[2]
