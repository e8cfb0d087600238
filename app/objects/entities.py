"""Objects: reserved, received, ready to be read."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from sqlalchemy import Connection
from uuid_utils import uuid7

from app.accounts.identity import Identity
from app.errors import Forbidden, ServiceUnavailable
from app.objects import excerpts
from app.objects.excerpts import Excerpt
from storage.base import ByteRange

OnSettle = Callable[[Connection, Identity], None]
"""Writes something else in the transaction that makes an object ready."""


def new_uuid() -> str:
    """Make the UUIDv7 that clients are to know a new thing by."""
    return str(uuid7())


@dataclass(frozen=True, slots=True)
class Reservation:
    """A pending object: the storage that its account was charged for, and a key to put it under."""

    object_id: int
    key: str
    charged_bytes: int
    owner: Identity
    is_free: bool = False
    """Whether it doesn't count towards the account's usage and limits."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of an object's bytes, stored under a key of its own."""

    key: str
    size: int


def locate(segments: Iterable[Segment], part: ByteRange) -> Iterator[tuple[str, ByteRange]]:
    """Yield the keys of the segments that hold a part, each with the range of its own."""
    start = 0
    for segment in segments:
        stop = start + segment.size
        if start < part.stop and part.start < stop:
            first = max(part.start, start) - start
            yield segment.key, ByteRange(first, min(part.stop, stop) - start)
        start = stop


@dataclass(frozen=True, slots=True)
class Tail:
    """The last segment of an object, stored under its reservation; without bytes, there is none."""

    size: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Received:
    """A body that has arrived: in the store under its reservation, or in memory.

    One that came in pieces has ``segments``, of which the ``tail`` isn't committed yet.
    """

    size: int
    sha256: bytes
    reservation: Reservation | None
    data: bytes | None
    """The bytes of an object small enough to be kept in the database."""
    encoding: str | None = None
    """The content coding that the bytes are in (RFC 9110 §8.4.1)."""
    segments: tuple[Segment, ...] = ()
    tail: Tail | None = None
    on_settle: OnSettle | None = None
    crc32: int | None = None
    """Of the same bytes as ``sha256``."""

    def content(self, modified_at: int) -> "Content":
        """Return the body as content that can be read, before the commit too."""
        reservation = None if self.data is not None else self.reservation
        return Content(
            0 if reservation is None else reservation.object_id,
            None if reservation is None else reservation.key,
            self.size,
            self.sha256,
            modified_at,
            self.data,
            self.encoding,
            self.segments,
            self.crc32,
        )


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a sender who may read nothing gets to know of a file that has come."""

    name: str
    size: int
    sha256: bytes


@dataclass(frozen=True, slots=True)
class Content:
    """What is needed to read a ready object."""

    object_id: int
    key: str | None
    size: int
    sha256: bytes
    modified_at: int
    data: bytes | None
    encoding: str | None = None
    segments: tuple[Segment, ...] = ()
    """The parts of an object that is stored in several, in their order."""
    crc32: int | None = None
    """Of the same bytes as ``sha256``; None: nobody has computed it yet."""
    excerpt: Excerpt | None = None
    """What of the object it is; None: all. The ``sha256`` of an excerpt is that of no bytes."""

    def excerpted(self, parts: str | None) -> "Content":
        """Return an excerpt, given by its parts as `excerpts.to_json` has kept them.

        Raises `ServiceUnavailable` where nobody has found these out yet, and `Forbidden` where
        there can be none.
        """
        if parts is None:
            raise ServiceUnavailable("This is still being processed. Try again in a minute.")
        excerpt = excerpts.from_json(parts)
        if excerpt.is_whole(self.size):
            return self
        if not excerpt.parts:
            raise Forbidden("The details in the file can't be removed from it, so it isn't shared")
        return replace(
            self,
            size=excerpt.size,
            sha256=hashlib.sha256(self.sha256 + parts.encode()).digest(),
            data=None if self.data is None else excerpt.of(self.data),
            segments=self.stored,
            crc32=None,
            excerpt=excerpt,
        )

    def filled(self, data: bytes) -> "Content":
        """Return it with the bytes of its object, which is small."""
        return replace(self, data=data if self.excerpt is None else self.excerpt.of(data))

    @property
    def stored(self) -> tuple[Segment, ...]:
        """What the store has of it: one object or several, nothing if the bytes are ``data``."""
        if self.segments or self.key is None or self.data is not None:
            return self.segments
        return (Segment(self.key, self.size),)

    def locate(self, part: ByteRange) -> Iterator[tuple[str, ByteRange]]:
        """Yield the keys that hold a part of the object, each with the range of its own."""
        return locate(self.stored, part)

    def pieces(self, part: ByteRange) -> Iterator[tuple[str, ByteRange] | bytes]:
        """Yield what a part of the content consists of: of the object, see `locate`, or bytes."""
        for piece in [part] if self.excerpt is None else self.excerpt.within(part):
            if isinstance(piece, bytes):
                yield piece
            else:
                yield from self.locate(piece)
