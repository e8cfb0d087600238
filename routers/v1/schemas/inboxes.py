"""Schemas of inboxes, and of what comes by them."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, Field

from app import clock
from app.inboxes import entities
from app.inboxes.entities import NewInbox, PublicInbox
from app.links.entities import MAX_NOTE, time_left
from app.objects import entities as objects
from routers.v1.schemas.fields import NOT_BOOLEAN, Id, Sha256, Size, Text
from routers.v1.schemas.link_options import LinkPassword
from routers.v1.schemas.lists import ListOf

MAX_TITLE: Final = 200

Title = Annotated[
    Text,
    Field(
        min_length=1,
        max_length=MAX_TITLE,
        description="What its page is called.",
        examples=["Photos of the party"],
    ),
]
Message = Annotated[
    Text,
    Field(
        min_length=1,
        max_length=MAX_NOTE,
        description="Shown to whoever opens it.",
        examples=["All that you have, please"],
    ),
]
MaxFiles = Annotated[
    int,
    Field(
        ge=1,
        le=10**9,
        description="How many files it takes in all. Default: as many as the account may keep.",
        examples=[100],
    ),
    NOT_BOOLEAN,
]
MaxBytes = Annotated[
    int,
    Field(
        ge=1,
        le=2**53 - 1,
        description="How many bytes it takes in all. Default: as many as the account may keep.",
        examples=[10_737_418_240],
    ),
    NOT_BOOLEAN,
]
OpenFor = Annotated[
    int,
    Field(
        description="Seconds that it is open from now: 300 to 2592000 (30 days) unless the "
        "settings or the account's tier say otherwise.",
        examples=[604_800],
    ),
    NOT_BOOLEAN,
]


class InboxOptions(BaseModel):
    """What an inbox is to be."""

    title: Title
    message: Message | None = None
    max_files: MaxFiles | None = None
    max_bytes: MaxBytes | None = None
    expires_in: OpenFor | None = Field(None, description="Default: 7 days, if so many are allowed.")
    password: LinkPassword | None = None

    def new_inbox(self, password_hash: str | None) -> NewInbox:
        """Return the inbox that is to be made."""
        given = self.model_dump(exclude={"password"})
        return NewInbox(**given, password_hash=password_hash)


class InboxChange(BaseModel):
    """Changes of an inbox; what is absent stays. A null is none, but a title or time stays."""

    title: Title | None = None
    message: Message | None = None
    max_files: MaxFiles | None = None
    max_bytes: MaxBytes | None = None
    expires_in: OpenFor | None = None
    password: LinkPassword | None = None

    def facts(self) -> dict[str, Any]:
        """Return what is to change; null means something for all but title and time."""
        sent = self.model_dump(exclude_unset=True)
        always = {"title", "expires_in"}
        return {n: value for n, value in sent.items() if value is not None or n not in always}


class Inbox(BaseModel):
    """An inbox, as its owner sees it."""

    id: Id
    url: str | None = Field(
        description="The address to hand on. Null if it ended more than 30 days ago, or if the "
        "signing key that it was made with is not set any more.",
        examples=["https://holdall.example.org/t/n2XwG7aJ3kS5rT8vY1zBcA"],
    )
    title: str = Field(examples=["Photos of the party"])
    message: str | None = Field(examples=["All that you have, please"])
    max_files: int | None = Field(examples=[100])
    max_bytes: int | None = Field(examples=[10_737_418_240])
    files: int = Field(
        description="How many files have come, including those deleted since.", examples=[3]
    )
    bytes: int = Field(description="Their bytes.", examples=[4_194_304])
    unseen: int = Field(
        description="Of the files, those since its owner last looked at the page.", examples=[1]
    )
    has_password: bool
    is_open: bool = Field(description="Whether strangers may still give.")
    created_at: datetime
    expires_at: datetime | None = Field(description="Null: it ended more than 30 days ago.")
    time_left: int = Field(description="Whole seconds; 0 once it has ended.", examples=[604_740])

    @classmethod
    def of(cls, inbox: entities.Inbox, url: str | None, **more: Any) -> Self:  # noqa: ANN401 - of subclasses
        left = time_left(inbox.expires_at, clock.now()) if inbox.is_open else None
        return cls(
            id=inbox.uuid,
            url=url,
            title=inbox.title,
            message=inbox.message,
            max_files=inbox.max_files,
            max_bytes=inbox.max_bytes,
            files=inbox.files,
            bytes=inbox.size,
            unseen=inbox.unseen,
            has_password=inbox.has_password,
            is_open=inbox.is_open,
            created_at=clock.to_datetime(inbox.created_at),
            expires_at=None if inbox.expires_at is None else clock.to_datetime(inbox.expires_at),
            time_left=left or 0,
            **more,
        )


class ArrivalKind(StrEnum):
    """What has arrived: one file, or several as a bundle."""

    FILE = "file"
    BUNDLE = "bundle"


class Arrival(BaseModel):
    """Something that has come by an inbox."""

    kind: ArrivalKind
    id: Id
    name: str = Field(examples=["photo.jpg"])
    size: Size
    count: int = Field(description="How many files it is.", examples=[1])
    created_at: datetime

    @classmethod
    def of(cls, arrival: entities.Arrival) -> Self:
        return cls(
            kind=ArrivalKind(arrival.kind),
            id=arrival.uuid,
            name=arrival.name,
            size=arrival.size,
            count=arrival.count,
            created_at=clock.to_datetime(arrival.created_at),
        )


class WholeInbox(Inbox):
    """An inbox with a page of what has come by it and is still there, newest first."""

    items: list[Arrival]
    next_cursor: str | None = Field(description="The cursor of the next page; null on the last.")


class InboxEvent(BaseModel):
    """What an event says."""

    files: int
    unseen: int


class InboxList(ListOf[Inbox]):
    """A page of inboxes, newest first."""


class OpenInbox(BaseModel):
    """An inbox, as programs of strangers see it."""

    title: str
    message: str | None
    files_left: int | None
    bytes_left: int | None
    expires_at: datetime
    time_left: int

    @classmethod
    def of(cls, inbox: PublicInbox) -> Self:
        return cls(
            title=inbox.title,
            message=inbox.message,
            files_left=inbox.files_left,
            bytes_left=inbox.bytes_left,
            expires_at=clock.to_datetime(inbox.expires_at),
            time_left=inbox.time_left,
        )


class Receipt(BaseModel):
    """A file that has come."""

    name: str
    size: Size
    sha256: Sha256

    @classmethod
    def of(cls, receipt: objects.Receipt) -> Self:
        return cls(name=receipt.name, size=receipt.size, sha256=receipt.sha256.hex())


class Receipts(BaseModel):
    """Files that have come together."""

    items: list[Receipt]
