"""What an inbox is: a link by which others give to an account. Times are in UTC microseconds."""

from dataclasses import dataclass, field
from typing import Final

from app.links.entities import LinkRef
from app.objects.entities import new_uuid

KIND: Final = "inboxes"
OBJECTS: Final = "files"
"""The kind of the objects that come: they are files."""

USUAL_TIME: Final = 7 * 86_400
"""Seconds that an inbox is open if neither its maker nor the tier says it."""


@dataclass(frozen=True, slots=True)
class NewInbox:
    """An inbox that is to be made."""

    title: str
    message: str | None = None
    """To whoever opens it."""
    max_files: int | None = None
    """None: as many as the account may keep; so for the bytes."""
    max_bytes: int | None = None
    expires_in: int | None = None
    """Seconds; None: the usual time."""
    password_hash: str | None = None
    uuid: str = field(default_factory=new_uuid)


@dataclass(frozen=True, slots=True)
class Inbox:
    """An inbox as its owner sees it."""

    id: int
    uuid: str
    title: str
    message: str | None
    max_files: int | None
    max_bytes: int | None
    files: int
    """That have come, those deleted since included; so are the bytes."""
    size: int
    unseen: int
    """Of the files: those since its owner last looked."""
    created_at: int
    link: LinkRef | None
    """None: it ended long ago."""
    expires_at: int | None
    has_password: bool
    is_open: bool


@dataclass(frozen=True, slots=True)
class PublicInbox:
    """An open inbox as strangers see it."""

    id: int
    owner: str
    """The uuid of its account."""
    receiver: str | None
    """What its account wants to be called; None: visitors aren't told."""
    uuid: str
    """Of its link."""
    title: str
    message: str | None
    files_left: int | None
    """None: no limit of its own; so for the bytes."""
    bytes_left: int | None
    expires_at: int
    time_left: int
    """Whole seconds."""
    password_hash: str | None


@dataclass(frozen=True, slots=True)
class Gift:
    """A file that a stranger is about to give, except its bytes."""

    name: str
    """A relative path, if it is one of several."""
    content_type: str
    uuid: str = field(default_factory=new_uuid)


@dataclass(frozen=True, slots=True)
class Delivery:
    """Several files of one stranger, which become one bundle though they come one by one."""

    hash: bytes
    """Of the secret that they all bring."""
    name: str
    """Of the bundle."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """Something that has come by an inbox: a file, or a bundle of several."""

    kind: str
    uuid: str
    name: str
    size: int
    count: int
    """How many files it is."""
    created_at: int


@dataclass(frozen=True, slots=True)
class Mark:
    """What has arrived in an account's inboxes that its owner hasn't seen."""

    account: str
    """The account's id, as the topics of events have it."""
    total: int
    """All files that have come."""
    unseen: int

    @property
    def version(self) -> str:
        """Which changes when something comes, and when its owner looks."""
        return f"{self.total}/{self.unseen}"

    @property
    def expires_at(self) -> None:
        """It doesn't change by itself."""
