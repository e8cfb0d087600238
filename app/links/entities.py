"""What a timelink is: a public link to one object, for a time. Times are in UTC microseconds."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple, Protocol, Self

from app import clock
from app.errors import NotFound
from app.links.targets import AS_IT_IS, Target, TargetType
from app.objects.entities import Content
from app.objects.file_names import picture_name

MAX_DOWNLOADS: Final = 10**9
MAX_NOTE: Final = 2000
"""Characters that a note may have."""


LIST: Final = "timelinks"

INBOX: Final = "inbox"
"""The kind of links by which others give; they have no target that could be read."""


class Origin(NamedTuple):
    """The inbox that something came by."""

    uuid: str
    title: str


class LinkRef(NamedTuple):
    """What a link's token is derived from, and the hash that tells by which signing key."""

    uuid: str
    token_hash: bytes


class Protected(Protocol):
    """What may ask its visitors for a password."""

    @property
    def uuid(self) -> str:
        """That of its link."""

    @property
    def owner(self) -> str:
        """The uuid of its account."""

    @property
    def password_hash(self) -> str | None:
        """None: it asks for none."""


@dataclass(frozen=True, slots=True)
class LinkOptions:
    """What a link allows, asks for and says."""

    max_downloads: int | None = None
    """None: any number."""
    password_hash: str | None = None
    note: str | None = None
    """To whoever opens it."""
    originals: bool = False
    """Whether its pictures come with all that is in their files, such as places."""


NO_OPTIONS: Final = LinkOptions()


@dataclass(frozen=True, slots=True)
class Sharing:
    """What the link to a thing allows, asks for and says, as the owner of the thing sees it."""

    max_downloads: int | None
    downloads: int
    """Those that have begun, if the link counts them."""
    has_password: bool
    note: str | None
    originals: bool

    @property
    def is_plain(self) -> bool:
        """Whether it has neither a count nor a password."""
        return self.max_downloads is None and not self.has_password

    @classmethod
    def of(cls, options: LinkOptions, downloads: int | None = 0) -> Self:
        """Make one of a link's options; ``downloads`` is None if there is no link."""
        has_password = options.password_hash is not None
        return cls(
            options.max_downloads, downloads or 0, has_password, options.note, options.originals
        )


@dataclass(frozen=True, slots=True)
class NewLink:
    """A link that is to be made; ``lifetime`` in seconds, None: as long as its file."""

    ref: LinkRef
    lifetime: int | None = None
    options: LinkOptions = NO_OPTIONS


@dataclass(frozen=True, slots=True)
class Timelink:
    """A link as its owner sees it."""

    ref: LinkRef
    target_type: TargetType
    target_id: str | None
    """The target's id on the wire; None if it is gone."""
    target_name: str | None
    lifetime: int | None
    """The seconds that were asked for; None: as long as its file."""
    expires_at: int | None
    time_left: int | None
    """Whole seconds, 0 once it has ended; None: no end."""
    created_at: int
    max_downloads: int | None
    downloads: int
    has_password: bool
    note: str | None
    originals: bool
    is_active: bool

    @property
    def uuid(self) -> str:
        return self.ref.uuid

    @property
    def is_plain(self) -> bool:
        """Whether it has neither a count nor a password."""
        return self.max_downloads is None and not self.has_password


class LinkSort(StrEnum):
    """What a list of links is sorted by."""

    NEWEST = "newest"
    ENDS = "ends"
    """What ends first comes first, and what has no end last."""
    USED = "used"
    """The one with the most downloads first."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which links are listed, and in which order."""

    text: str = ""
    """What the names of their targets contain."""
    sort: LinkSort = LinkSort.NEWEST
    only_active: bool | None = None
    """Only those that are active, or only the others."""
    target_type: TargetType | None = None
    target_id: str | None = None
    """With a type: only those to this thing, by its id on the wire."""


ALL: Final = Wanted()


@dataclass(frozen=True, slots=True)
class PublicLink:
    """A valid link as its visitors see it, and its target."""

    id: int
    account_id: int
    owner: str
    """The uuid of its account."""
    sender: str | None
    """What its account wants to be called; None: visitors aren't told."""
    uuid: str
    target_type: TargetType
    expires_at: int | None
    time_left: int | None
    """Whole seconds; None: no end."""
    max_downloads: int | None
    downloads: int
    password_hash: str | None
    note: str | None
    originals: bool
    """Whether its pictures come with all that is in their files."""
    is_own: bool
    """Whether it was made with its target."""
    has_begun: bool
    """Whether it was opened by the lease of a download that has been counted."""
    target: Target

    @property
    def downloads_left(self) -> int | None:
        """How many more may be claimed; None: any number."""
        return None if self.max_downloads is None else self.max_downloads - self.downloads

    @property
    def is_limited(self) -> bool:
        return self.max_downloads is not None

    @property
    def ends_target(self) -> bool:
        """Whether its target goes with the last download."""
        return self.is_limited and self.is_own

    @property
    def is_to_set(self) -> bool:
        """Whether it leads to a set of things, each with a name."""
        return self.target.content is None

    @property
    def content(self) -> Content:
        """What it gives of its target; raises `NotFound` if that is a set of things.

        And of a picture whose original it doesn't give, what `Content.excerpted` does.
        """
        if self.target.content is None:
            raise NotFound("The link leads to several things")
        return given(self.target.content, self.target.bare, originals=self.originals)

    @property
    def file_name(self) -> str:
        """The name of the download: the last segment of a blob's id, which may look like a path.

        That of a picture has the extension of its format.
        """
        name = self.target.name.rpartition("/")[2] or self.target.name
        if self.target_type != "picture":
            return name
        return picture_name(name, self.target.content_type.removeprefix("image/"))

    @property
    def is_plain(self) -> bool:
        """Whether it has neither a count nor a password."""
        return not self.is_limited and self.password_hash is None


def given(content: Content, bare: str | None, *, originals: bool) -> Content:
    """Return what a link gives of a content, see `Target.bare`; raises as `Content.excerpted`."""
    return content if originals or bare == AS_IT_IS else content.excerpted(bare)


def time_left(expires_at: int | None, now: int) -> int | None:
    """Return the whole seconds until a moment; None: no end."""
    return None if expires_at is None else max(0, (expires_at - now) // clock.SECOND)
