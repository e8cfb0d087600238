"""Objects: reserved, received, ready to be read."""

from dataclasses import dataclass

from app.accounts.identity import Identity


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
class Received:
    """A body that has arrived: in the store under its reservation, or in memory."""

    size: int
    sha256: bytes
    reservation: Reservation | None
    data: bytes | None
    """The bytes of an object small enough to be kept in the database."""
    encoding: str | None = None
    """The content coding that the bytes are in (RFC 9110 §8.4.1)."""


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
