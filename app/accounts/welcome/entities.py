"""Invitations, password resets, and what receivers of their links see. Times are in UTC
microseconds."""

from dataclasses import dataclass
from typing import Final

HOUR: Final = 3600
DAY: Final = 24 * HOUR

INVITATION_LIFETIME: Final = 7 * DAY
MAX_INVITATION_LIFETIME: Final = 30 * DAY
RESET_LIFETIME: Final = DAY
MAX_RESET_LIFETIME: Final = 7 * DAY
MIN_LIFETIME: Final = 60
"""Seconds that links live by default, at most, and at least."""


@dataclass(frozen=True, slots=True)
class Link:
    """A one-time link that has been made, and perhaps sent to its receiver."""

    url: str
    is_mailed: bool


@dataclass(frozen=True, slots=True)
class NewInvitation:
    """An invitation about to be sent."""

    uuid: str
    token_hash: bytes
    tier: str
    is_admin: bool
    email: str | None
    created_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation as administrators see it, without its link."""

    uuid: str
    tier: str
    is_admin: bool
    email: str | None
    invited_by: str
    """The administrator's user name."""
    created_at: int
    expires_at: int


@dataclass(frozen=True, slots=True)
class NewReset:
    """A password reset about to be offered; it replaces the account's former one."""

    token_hash: bytes
    created_at: int
    expires_at: int
    ends_second_factor: bool
    """Whether it turns the account's second factor off, too."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a one-time link offers: a new account, or the account of ``username`` a password."""

    username: str | None
    email: str | None
    tier: str
    expires_at: int
    ends_second_factor: bool

    @property
    def is_invitation(self) -> bool:
        return self.username is None
