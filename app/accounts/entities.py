"""Accounts, tiers, sessions and API keys. Times are in UTC microseconds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app import clock
from app.events.entities import Actor

MAX_KEY_LIFETIME: Final = 100 * 365 * 86_400
"""Seconds that an API key which expires may live at most."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account as its owner and administrators see it; a limit of None is none."""

    uuid: str
    username: str
    email: str | None
    tier: str
    is_admin: bool
    is_active: bool
    created_at: int
    used_bytes: int
    used_objects: int
    max_bytes: int | None
    max_objects: int | None
    source_url: str | None
    """Where the source lines of its crashes are, with ``{file}`` and ``{line}``."""
    has_second_factor: bool
    display_name: str | None
    """What visitors of its links and inboxes are told that it is called; None: they aren't."""


@dataclass(frozen=True, slots=True)
class NewAccount:
    """An account that is to be made."""

    uuid: str
    username: str
    email: str | None
    password_hash: str | None
    tier: str
    is_admin: bool
    created_at: int
    maker: Actor


@dataclass(frozen=True, slots=True)
class TierRecord:
    """A tier as administrators see it; a limit of None is none."""

    uuid: str
    name: str
    heights: Sequence[int]
    allow_original: bool
    allow_links: bool
    max_object_bytes: int | None
    max_total_bytes: int | None
    max_objects: int | None
    created_at: int
    default_lifetime: int | None = None
    """Seconds that sent files live if nobody says otherwise; None: `EXPIRE_TIME`."""
    max_lifetime: int | None = None
    """Seconds that a link may live."""
    default_downloads: int | None = None
    max_downloads: int | None = None
    """How many downloads a link may allow."""


@dataclass(frozen=True, slots=True)
class Login:
    """An account whose password has been verified, and the hash that it was verified against."""

    account_id: int
    account: str
    username: str
    password_hash: str
    has_second_factor: bool


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session about to begin; ``client`` is the contract that its tokens are good for."""

    uuid: str
    client: str
    user_agent: str
    created_at: int
    expires_at: int

    @property
    def lifetime(self) -> int:
        """Seconds until it expires, unless it is refreshed."""
        return (self.expires_at - self.created_at) // clock.SECOND


@dataclass(frozen=True, slots=True)
class Session:
    """A session as its owner sees it."""

    uuid: str
    created_at: int
    expires_at: int
    user_agent: str
    """Of the client that began it."""
    current: bool
    last_used_at: int | None
    """To within minutes; None: not since that is noted."""
    last_address: str | None
    last_user_agent: str | None


@dataclass(frozen=True, slots=True)
class Tokens:
    """The tokens of a session; ``expires_in`` is the access token's, in seconds."""

    access_token: str
    refresh_token: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class ApiKeyRecord:
    """An API key as its owner sees it, without the secret."""

    uuid: str
    name: str
    scopes: tuple[str, ...]
    hint: str
    created_at: int
    expires_at: int | None
