"""Schemas of timelinks."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, Field, StrictBool

from app import clock
from app.blobs.entities import MAX_ID_LENGTH
from app.features import TARGETS
from app.links import entities
from app.links.entities import PublicLink
from routers.v1.schemas.fields import NOT_BOOLEAN, Id, Size
from routers.v1.schemas.link_options import ORIGINALS, LinkPassword, MaxDownloads, Note, storable
from routers.v1.schemas.lists import ListOf

TargetType = StrEnum("TargetType", [(name, name) for name in TARGETS])  # type: ignore[misc]
TargetType.__doc__ = "The types of targets that a link may have."


class LinkState(StrEnum):
    """Whether a link can still be used."""

    ACTIVE = "active"
    EXPIRED = "expired"


TargetId = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_ID_LENGTH,
        description="The id of its target.",
        examples=["my-unique-blob-id"],
    ),
    AfterValidator(storable),
]


class NewTimelink(BaseModel):
    """A link that is to be made."""

    kind: TargetType = Field(examples=["blob"])
    id: TargetId
    time: Annotated[int, NOT_BOOLEAN] = Field(
        description="Its lifetime in seconds: 300 to 2592000 (30 days) unless the settings or the "
        "account's tier say otherwise.",
        examples=[3600],
    )
    max_downloads: MaxDownloads | None = None
    password: LinkPassword | None = None
    note: Note | None = None
    originals: Annotated[StrictBool, ORIGINALS] = False


class Timelink(BaseModel):
    """A public link, as its owner sees it."""

    id: Id
    url: str | None = Field(
        description="Null if the signing key that it was made with is not set any more.",
        examples=["https://holdall.example.org/t/n2XwG7aJ3kS5rT8vY1zBcA"],
    )
    kind: TargetType = Field(examples=["blob"])
    target: str | None = Field(
        description="The target's id; null if it no longer exists.", examples=["my-unique-blob-id"]
    )
    target_name: str | None = Field(
        description="The target's name.", examples=["my-unique-blob-id"]
    )
    state: LinkState
    created_at: datetime
    time: int | None = Field(
        description="The lifetime that was asked for, in seconds; null: a file's own link, which "
        "lives as long as the file.",
        examples=[3600],
    )
    expires_at: datetime | None = Field(description="Null: when its file is deleted.")
    time_left: int | None = Field(
        description="Whole seconds; 0 once it has ended.", examples=[3540]
    )
    max_downloads: int | None = Field(examples=[3])
    downloads: int = Field(
        description="The downloads claimed so far, if `max_downloads` limits them.", examples=[1]
    )
    has_password: bool
    note: str | None = Field(examples=["The photos of Sunday"])
    originals: bool = Field(description="Whether it gives pictures with all in their files.")

    @classmethod
    def of(cls, link: entities.Timelink, url: str | None) -> Self:
        return cls(
            id=link.uuid,
            url=url,
            kind=TargetType(link.target_type),
            target=link.target_id,
            target_name=link.target_name,
            state=LinkState.ACTIVE if link.is_active else LinkState.EXPIRED,
            created_at=clock.to_datetime(link.created_at),
            time=link.lifetime,
            expires_at=None if link.expires_at is None else clock.to_datetime(link.expires_at),
            time_left=link.time_left,
            max_downloads=link.max_downloads,
            downloads=link.downloads,
            has_password=link.has_password,
            note=link.note,
            originals=link.originals,
        )


class TimelinkList(ListOf[Timelink]):
    """A page of an account's links, newest first."""


class PublicTimelink(BaseModel):
    """A public link, as programs see it before they claim a download."""

    name: str = Field(examples=["photo.jpg"])
    content_type: str = Field(examples=["image/jpeg"])
    size: Size
    expires_at: datetime | None
    time_left: int | None = Field(examples=[3540])
    downloads_left: int | None = Field(examples=[2])
    note: str | None = Field(examples=["The photos of Sunday"])
    download: str = Field(
        description="The path that starts a download.",
        examples=["/t/n2XwG7aJ3kS5rT8vY1zBcA?download=1"],
    )

    @classmethod
    def of(cls, link: PublicLink, download: str, size: int | None = None) -> Self:
        """Make it of a link; ``size`` is that of all where it leads to several things."""
        return cls(
            name=link.target.name,
            content_type=link.target.content_type,
            size=link.content.size if size is None else size,
            expires_at=None if link.expires_at is None else clock.to_datetime(link.expires_at),
            time_left=link.time_left,
            downloads_left=link.downloads_left,
            note=link.note,
            download=download,
        )


class PublicMember(BaseModel):
    """One of several things that a public link leads to."""

    name: str
    content_type: str
    size: Size
    download: str


class PublicSet(PublicTimelink):
    """A public link to several things, as programs see it."""

    is_open: bool
    count: int
    items: list[PublicMember]
    next_cursor: str | None
