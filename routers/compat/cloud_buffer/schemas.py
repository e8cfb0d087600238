"""Schemas of the Cloud Buffer contract."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import Header
from pydantic import BaseModel, Field

from app import clock
from app.buffer.entities import DataType
from app.bundles.entities import Bundle
from app.files.entities import File

DATA_TYPE = "X-Data-Type"

DataTypeHeader = Annotated[
    DataType | None,
    Header(alias=DATA_TYPE, description="What is sent; required unless a form has it as a field."),
]


class CloudBufferError(BaseModel):
    """An error answer."""

    detail: str = Field(description="What happened.", examples=["The buffer is empty"])


class CloudBufferLink(BaseModel):
    """The link to a file that was sent; all null for one that is kept, which has no link yet."""

    link: str | None = Field(
        description="URL of the file's timelink.",
        examples=["https://holdall.example.org/t/n2XwG7aJ3kS5rT8vY1zBcA"],
    )
    token: str | None = Field(
        description="The same for `/file/get`; null if that is a 404, because the link has a count "
        "or a password.",
        examples=["n2XwG7aJ3kS5rT8vY1zBcA"],
    )
    expires_at: datetime | None

    @classmethod
    def of(cls, sent: File | Bundle, link: str | None, token: str | None) -> Self:
        expires_at = None if sent.expires_at is None else clock.to_datetime(sent.expires_at)
        return cls(link=link, token=token, expires_at=expires_at)


class CloudBufferFields(BaseModel):
    """The fields of a form beside what goes into the buffer."""

    data_type: Annotated[
        DataType | None,
        Field(alias=DATA_TYPE, description="As the header; must come before the file."),
    ] = None


class CloudBufferForm(CloudBufferFields):
    """What goes into the buffer, as a form."""

    file: Annotated[
        str,
        Field(
            description="The text, or the file, which needs a name.",
            json_schema_extra={"format": "binary"},
        ),
    ]


class CloudBufferDone(BaseModel):
    """Confirmation that the buffer was filled."""

    code: int = 0
    message: str = "ok"
