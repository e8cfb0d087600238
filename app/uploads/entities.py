"""Resumable uploads: things that are to be made of bytes which arrive in several requests."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from app.objects.digests import NONE, Digests
from app.objects.entities import new_uuid
from app.objects.preconditions import NO_CONDITIONS, Preconditions

Fields = Mapping[str, Any]
"""What is to be made, except its bytes; as JSON has it."""


class Kind(StrEnum):
    """What an upload becomes."""

    FILE = "file"
    BLOB = "blob"
    DUMP = "dump"
    PICTURE = "picture"
    BUFFER = "buffer"
    INBOX = "inbox"
    """A file that a stranger gives."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a client has said of an upload beside what is to be made."""

    target: str = ""
    """The route that it was sent to, which words the answer at its end; empty: none."""
    encoding: str | None = None
    """The content coding of its bytes."""
    digests: Digests = NONE
    """Of all of its bytes."""
    conditions: Preconditions = NO_CONDITIONS
    """Which must hold at the beginning, and again at the end."""


NO_TERMS: Final = Terms()


@dataclass(frozen=True, slots=True)
class NewUpload:
    """An upload that is to be created."""

    kind: Kind
    fields: Fields
    length: int | None = None
    """In bytes; None: it is said later."""
    metadata: str = ""
    """What its client sent of it, to be returned as it is."""
    terms: Terms = NO_TERMS
    uuid: str = field(default_factory=new_uuid)
    """Also of what is made, where that has one."""


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload; times in UTC microseconds."""

    id: int
    uuid: str
    kind: Kind
    fields: Fields
    offset: int
    """The bytes that are committed."""
    length: int | None
    metadata: str
    created_at: int
    expires_at: int
    made: str | None
    """What has been made: its id on the wire; None: the upload isn't finished."""
    object_id: int | None
    """Of the unfinished object."""
    max_size: int | None
    """The bytes that it may have by its account's tier."""
    terms: Terms = NO_TERMS
    is_being_written: bool = False
    """Whether a request appends to it just now, or did when its process died."""
    result: Any = None
    """What the use case of its kind has returned, for the request that has finished it."""

    @property
    def is_finished(self) -> bool:
        return self.made is not None


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes that a request appends to an upload."""

    offset: int
    """Where they go, by what the client knows."""
    length: int | None = None
    """Of the whole upload, where the request says it."""
    completes: bool | None = None
    """Whether they are the last ones; None: they are if it has its length then."""
    digests: Digests = NONE
    """Of the whole upload, where the request says them."""
