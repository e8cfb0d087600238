"""The buffer on the wire."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import Header
from pydantic import BaseModel, Field

from app import clock
from app.buffer.rows import Buffer, DataType

DataTypeHeader = Annotated[
    DataType,
    Header(
        alias="X-Data-Type",
        description="What is sent: a file, or a text: `text/plain; charset=utf-8` unless its "
        "Content-Type is that of another text. The bytes are kept as they come.",
    ),
]
NameHeader = Annotated[
    str | None,
    Header(
        alias="X-File-Name",
        description="A file's name, percent-encoded UTF-8; of a path, the last segment. "
        "Wins over Content-Disposition; a file needs one of the two.",
        examples=["photo.jpg"],
    ),
]
DispositionHeader = Annotated[
    str | None,
    Header(
        alias="Content-Disposition",
        description="A file's name in the form of RFC 6266.",
        examples=['attachment; filename="photo.jpg"'],
    ),
]
LastEventId = Annotated[
    str | None,
    Header(
        alias="Last-Event-ID",
        description="The version seen last: a `changed` event follows at once if there is a newer.",
        examples=["7"],
    ),
]


class BufferFacts(BaseModel):
    """What the buffer holds, without its bytes."""

    version: int = Field(description="Counts every change, expiry included; never goes back.")
    data_type: DataType
    name: str | None = Field(description="A file's name; null for a text.")
    content_type: str
    size: int = Field(description="In bytes.")
    sha256: str = Field(description="In hex.")
    modified_at: datetime
    expires_at: datetime

    @classmethod
    def of(cls, buffer: Buffer) -> Self:
        assert buffer.revision.expires_at is not None
        return cls(
            version=buffer.revision.version,
            data_type=buffer.data_type,
            name=buffer.name,
            content_type=buffer.content_type,
            size=buffer.content.size,
            sha256=buffer.content.sha256.hex(),
            modified_at=clock.to_datetime(buffer.modified_at),
            expires_at=clock.to_datetime(buffer.revision.expires_at),
        )


class BufferEvent(BaseModel):
    """The data of an event."""

    version: int
    empty: bool
