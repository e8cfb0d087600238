"""What a buffer is: one clipboard per account, whose version counts every change of it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.objects.entities import Content

KIND: Final = "buffer"


class DataType(StrEnum):
    """What a clip is: a text, or a file, which has a name."""

    TEXT = "text"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Revision:
    """The version of an account's buffer: 0 before the first write."""

    account: str
    version: int
    expires_at: int | None
    """In UTC microseconds; None: the buffer is empty."""

    @property
    def is_empty(self) -> bool:
        return self.expires_at is None


@dataclass(frozen=True, slots=True)
class NewClip:
    """What is to be put into a buffer, except its bytes; ``name`` is a file's."""

    data_type: DataType
    name: str | None
    content_type: str


@dataclass(frozen=True, slots=True)
class PastClip:
    """What a buffer held before; times in UTC microseconds."""

    uuid: str
    data_type: DataType
    name: str | None
    content_type: str
    modified_at: int
    """When it was put in, or brought back."""
    expires_at: int
    content: Content


@dataclass(frozen=True, slots=True)
class Clip:
    """What a buffer holds."""

    revision: Revision
    data_type: DataType
    name: str | None
    content_type: str
    modified_at: int
    content: Content
