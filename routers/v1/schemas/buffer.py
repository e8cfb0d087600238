"""Schemas of the buffer."""

from datetime import datetime
from typing import Annotated, Final, Self

from fastapi import Header
from pydantic import BaseModel, Field

from app import clock
from app.buffer import entities
from app.buffer.entities import Clip, DataType
from routers.v1.schemas.fields import Id, Sha256, Size

DATA_TYPE: Final = {"X-Data-Type": "What it is: `text` or `file`."}
"""The header of a download of the buffer, for `binary_answer`."""

DataTypeHeader = Annotated[
    DataType,
    Header(
        alias="X-Data-Type",
        description="What is sent: a file or a text, which is `text/plain; charset=utf-8` unless "
        "its Content-Type says otherwise. The bytes are kept as they come.",
    ),
]
NameHeader = Annotated[
    str | None,
    Header(
        alias="X-File-Name",
        description="A file's name, percent-encoded UTF-8; of a path, the last segment. "
        "Takes precedence over Content-Disposition; a file needs one of the two.",
        examples=["photo.jpg"],
    ),
]
DispositionHeader = Annotated[
    str | None,
    Header(
        alias="Content-Disposition",
        description="A file's name (RFC 6266).",
        examples=['attachment; filename="photo.jpg"'],
    ),
]
LastEventId = Annotated[
    str | None,
    Header(
        alias="Last-Event-ID",
        description="The version seen last: `changed` follows at once if there is a newer one.",
        examples=["7"],
    ),
]


class BufferContent(BaseModel):
    """What the buffer holds, without its bytes."""

    version: int = Field(
        description="Counts every change, including expiry; never decreases.", examples=[7]
    )
    data_type: DataType
    name: str | None = Field(description="A file's name; null for a text.", examples=["photo.jpg"])
    content_type: str = Field(examples=["image/jpeg"])
    size: Size
    sha256: Sha256
    modified_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, clip: Clip) -> Self:
        assert clip.revision.expires_at is not None
        return cls(
            version=clip.revision.version,
            data_type=clip.data_type,
            name=clip.name,
            content_type=clip.content_type,
            size=clip.content.size,
            sha256=clip.content.sha256.hex(),
            modified_at=clock.to_datetime(clip.modified_at),
            expires_at=clock.to_datetime(clip.revision.expires_at),
        )


class PastClip(BaseModel):
    """What the buffer held before, without its bytes."""

    id: Id
    data_type: DataType
    name: str | None = Field(description="A file's name; null for a text.", examples=["photo.jpg"])
    content_type: str = Field(examples=["image/jpeg"])
    size: Size
    sha256: Sha256
    modified_at: datetime = Field(description="When it was put in, or brought back.")
    expires_at: datetime

    @classmethod
    def of(cls, past: entities.PastClip) -> Self:
        return cls(
            id=past.uuid,
            data_type=past.data_type,
            name=past.name,
            content_type=past.content_type,
            size=past.content.size,
            sha256=past.content.sha256.hex(),
            modified_at=clock.to_datetime(past.modified_at),
            expires_at=clock.to_datetime(past.expires_at),
        )


class History(BaseModel):
    """What the buffer held before, newest first."""

    items: list[PastClip]


class BufferEvent(BaseModel):
    """The data of an event."""

    version: int = Field(examples=[7])
    empty: bool
