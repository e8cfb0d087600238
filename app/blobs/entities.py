"""What a blob is: bytes under an id that the client chooses, in a namespace per account."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.objects.entities import Content

KIND: Final = "blobs"
MAX_ID_LENGTH: Final = 255


class BlobSort(StrEnum):
    """What a list of blobs is sorted by."""

    NEWEST = "newest"
    ID = "id"
    """Code point by code point."""
    SIZE = "size"
    """The largest first."""


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob; times in UTC microseconds. ``name`` is its id on the wire."""

    name: str
    content_type: str
    created_at: int
    modified_at: int
    content: Content
