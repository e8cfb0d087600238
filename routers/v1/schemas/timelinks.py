"""Schemas of timelinks."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, Field

from app import clock
from app.blobs.entities import MAX_ID_LENGTH
from app.features import TARGETS
from app.links import entities
from app.links.entities import PublicLink
from routers.v1.schemas.fields import Id, Size
from routers.v1.schemas.lists import ListOf

MAX_PASSWORD: int = 128


TargetType = StrEnum("TargetType", [(name, name) for name in TARGETS])  # type: ignore[misc]
TargetType.__doc__ = "The types of targets that a link may have."


class LinkState(StrEnum):
    """Whether a link can still be used."""

    ACTIVE = "active"
    EXPIRED = "expired"


def _characters(value: str) -> str:
    if "\0" in value or any("\ud800" <= c <= "\udfff" for c in value):
        raise ValueError("A text can't hold null characters or lone surrogates")
    return value


class NewTimelink(BaseModel):
    """A link that is to be made."""

    kind: TargetType = Field(examples=["blob"])
    id: Annotated[
        str,
        Field(
            min_length=1,
            max_length=MAX_ID_LENGTH,
            description="The id of its target.",
            examples=["my-unique-blob-id"],
        ),
        AfterValidator(_characters),
    ]
    time: int = Field(
        description="Its lifetime in seconds: 300 to 30000 unless the settings say otherwise.",
        examples=[3600],
    )
    max_downloads: (
        Annotated[int, Field(ge=1, le=10**9, description="The number of downloads it allows.")]
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
    download: str = Field(
        description="The path that starts a download.",
        examples=["/t/n2XwG7aJ3kS5rT8vY1zBcA?download=1"],
    )

    @classmethod
    def of(cls, link: PublicLink, download: str) -> Self:
        return cls(
            name=link.target.name,
            content_type=link.target.content_type,
            size=link.target.content.size,
            expires_at=None if link.expires_at is None else clock.to_datetime(link.expires_at),
            time_left=link.time_left,
            downloads_left=link.downloads_left,
            download=download,
        )
