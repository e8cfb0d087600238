"""The second factor of an account, as its owner sees it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class State:
    """The second factor of an account."""

    enabled_at: int | None
    """In UTC microseconds; None: it has none."""
    recovery_codes_left: int


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A secret that a device takes, by typing or from the QR code of its URI."""

    secret: str
    uri: str
