"""Timelinks on the wire."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, Field

from app import clock
from app.blobs.entities import MAX_ID_LENGTH
from app.links import rows as timelinks
from app.links.public import PublicLink
from routers.v1.schemas.lists import ListOf

MAX_PASSWORD: int = 128


class LinkKind(StrEnum):
    """What a link may lead to."""

    PICTURE = "picture"
    FILE = "file"
    DUMP = "dump"
    BLOB = "blob"


class LinkState(StrEnum):
    """Whether a link still lets somebody in."""

    ACTIVE = "active"
    EXPIRED = "expired"


def _characters(value: str) -> str:
    if "\0" in value or any("\ud800" <= c <= "\udfff" for c in value):
        raise ValueError("it holds a null character or a lone surrogate")
    return value


class TimelinkCreate(BaseModel):
    """What a link leads to, and for how long."""

    kind: LinkKind
    id: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_ID_LENGTH,
            description="The id of what it leads to.",
            examples=["my-unique-blob-id"],
        ),
        AfterValidator(_characters),
    ]
    time: int = Field(
        description="Seconds that it is to live: 300 to 30000 unless the settings say otherwise.",
        examples=[3600],
    )
    max_downloads: (
        Annotated[int, Field(ge=1, le=10**9, description="How many downloads it is good for.")]
        | None
    ) = None
    password: (
        Annotated[
            str,
            Field(min_length=1, max_length=MAX_PASSWORD, json_schema_extra={"format": "password"}),
            AfterValidator(_characters),
        ]
        | None
    ) = None


class Timelink(BaseModel):
    """A public link, as its owner sees it."""

    id: str
    url: str
    kind: LinkKind
    target: str | None = Field(description="The id of what it leads to; null when that is gone.")
    target_name: str | None = Field(description="What that is called.")
    state: LinkState
    created_at: datetime
    time: int | None = Field(
        description="Seconds that were asked for; null: a file's own, which lives as long as that."
    )
    expires_at: datetime | None = Field(description="Null: not before its file does.")
    time_left: int | None = Field(description="Whole seconds; 0 when it has ended.")
    max_downloads: int | None
    downloads: int = Field(description="How many were claimed, where `max_downloads` counts them.")
    has_password: bool

    @classmethod
    def of(cls, link: timelinks.Timelink, url: str, now: int) -> Self:
        """Make the body that answers for a link."""
        left = time_left(link.expires_at, now)
        return cls(
            id=link.uuid,
            url=url,
            kind=LinkKind(link.kind),
            target=link.target,
            target_name=link.target_name,
            state=LinkState.ACTIVE if link.is_active else LinkState.EXPIRED,
            created_at=clock.to_datetime(link.created_at),
            time=link.lifetime,
            expires_at=None if link.expires_at is None else clock.to_datetime(link.expires_at),
            time_left=left if link.is_active else 0,
            max_downloads=link.max_downloads,
            downloads=link.downloads,
            has_password=link.has_password,
        )


class TimelinkList(ListOf[Timelink]):
    """A page of an account's links, newest first."""


class LinkedFacts(BaseModel):
    """What a public link tells a program that has claimed nothing."""

    name: str
    content_type: str
    size: int = Field(description="In bytes.")
    expires_at: datetime | None
    time_left: int | None
    downloads_left: int | None
    download: str = Field(description="The URL that takes a download.")

    @classmethod
    def of(cls, link: PublicLink, download: str, now: int) -> Self:
        """Make the body that answers for a link."""
        return cls(
            name=link.target.name,
            content_type=link.target.content_type,
            size=link.target.content.size,
            expires_at=None if link.expires_at is None else clock.to_datetime(link.expires_at),
            time_left=time_left(link.expires_at, now),
            downloads_left=link.downloads_left,
            download=download,
        )


def time_left(expires_at: int | None, now: int) -> int | None:
    """Return the whole seconds that are left until a moment; None: there is no end."""
    return None if expires_at is None else max(0, (expires_at - now) // clock.SECOND)
