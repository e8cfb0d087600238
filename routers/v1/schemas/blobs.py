"""Schemas of blobs."""

import unicodedata
from datetime import datetime
from typing import Annotated, Final, Self
from urllib.parse import unquote_to_bytes

from fastapi import Path
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from app import clock
from app.blobs import entities
from app.blobs.entities import MAX_ID_LENGTH
from app.security.characters import refuse_bidi
from routers.v1.schemas.fields import Sha256, Size
from routers.v1.schemas.lists import ListOf


def check_id(value: str) -> str:
    """Return a blob's id; raises `ValueError` for one that no blob may have."""
    if value in {".", ".."}:
        raise ValueError("'.' and '..' can't be ids: URLs drop them")
    return check_characters(value)


def check_characters(value: str) -> str:
    """Return a text; raises `ValueError` if it holds what no blob's id may hold."""
    if not value.isprintable() and any(unicodedata.category(c) in {"Cc", "Cs"} for c in value):
        raise ValueError("An id can't hold control characters or lone surrogates")
    return value


def _decode(value: str) -> str:
    try:
        return unquote_to_bytes(value).decode()
    except UnicodeDecodeError:
        raise ValueError("An id must be percent-encoded UTF-8") from None


# what `check_id` and `check_characters` allow, in the schema
_PATTERN: Final = {"pattern": r"^(?!\.{1,2}$)[^\u0000-\u001f\u007f-\u009f]+$"}
_NEW_PATTERN: Final = {
    "pattern": r"^(?!\.{1,2}$)[^\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]+$"
}
_PREFIX_PATTERN: Final = {"pattern": r"^[^\u0000-\u001f\u007f-\u009f]*$"}

BlobId = Annotated[
    str,
    Field(min_length=1, max_length=MAX_ID_LENGTH, json_schema_extra=_NEW_PATTERN),
    AfterValidator(check_id),
    AfterValidator(refuse_bidi),
]
BlobIdPrefix = Annotated[
    str,
    Field(max_length=MAX_ID_LENGTH, json_schema_extra=_PREFIX_PATTERN),
    AfterValidator(check_characters),
]
BlobIdInPath = Annotated[
    str,
    Path(
        alias="id",
        min_length=1,
        max_length=MAX_ID_LENGTH,
        description="The blob's id, percent-encoded, slashes included.",
        json_schema_extra=_PATTERN,
    ),
    BeforeValidator(_decode),
    AfterValidator(check_id),
]
NewBlobIdInPath = Annotated[BlobIdInPath, AfterValidator(refuse_bidi)]


class NewBlob(BaseModel):
    """A blob in JSON."""

    id: BlobId = Field(examples=["my-unique-blob-id"])
    data: str = Field(
        description="The bytes in base64.",
        examples=["SGVsbG8gV29ybGQh"],
        json_schema_extra={"format": "byte"},
    )


class BlobReceipt(BaseModel):
    """Confirmation that a blob is stored."""

    message: str = Field(examples=["Blob stored successfully"])


class JsonBlob(BaseModel):
    """A blob with its bytes in JSON."""

    id: str = Field(examples=["my-unique-blob-id"])
    data: str = Field(
        description="The bytes in base64.",
        json_schema_extra={"format": "byte"},
        examples=["SGVsbG8sIHdvcmxkIQo="],
    )
    size: int = Field(description="In bytes, decoded.", examples=[14])
    created_at: datetime


class StoredBlob(BaseModel):
    """A blob without its bytes."""

    id: str = Field(examples=["my-unique-blob-id"])
    size: Size
    sha256: Sha256
    content_type: str = Field(examples=["text/plain"])
    created_at: datetime
    modified_at: datetime

    @classmethod
    def of(cls, blob: entities.Blob) -> Self:
        return cls(
            id=blob.name,
            size=blob.content.size,
            sha256=blob.content.sha256.hex(),
            content_type=blob.content_type,
            created_at=clock.to_datetime(blob.created_at),
            modified_at=clock.to_datetime(blob.modified_at),
        )


class BlobList(ListOf[StoredBlob]):
    """A page of blobs."""
