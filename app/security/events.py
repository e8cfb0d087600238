"""Security events: what happens to accounts and their credentials, one log line each.

Accounts, sessions and keys are named by their ids, failed logins by the given name and the address.
No line holds a secret, or a part of one.
"""

from enum import StrEnum
from typing import Final, Protocol

import structlog

log = structlog.get_logger("holdall.security")


class Event(StrEnum):
    """What happened."""

    LOGIN_SUCCEEDED = "login_succeeded"
    LOGIN_FAILED = "login_failed"
    LOGIN_LIMITED = "login_limited"
    SESSION_BEGUN = "session_begun"
    SESSION_ENDED = "session_ended"
    TOKEN_REUSED = "token_reused"  # noqa: S105 - a refresh token came again, which ends its session
    EVERYTHING_ENDED = "everything_ended"  # all sessions and keys of an account
    KEY_MADE = "key_made"
    KEY_ENDED = "key_ended"
    PASSWORD_CHECK_FAILED = "password_check_failed"  # noqa: S105 - of somebody signed in
    PASSWORD_CHANGED = "password_changed"  # noqa: S105
    EMAIL_CHANGED = "email_changed"
    LINK_PASSWORD_FAILED = "link_password_failed"  # noqa: S105
    ACCOUNT_MADE = "account_made"
    ACCOUNT_CHANGED = "account_changed"  # by an administrator
    ACCOUNT_DELETED = "account_deleted"
    TIER_MADE = "tier_made"
    TIER_CHANGED = "tier_changed"
    TIER_DELETED = "tier_deleted"


_ALARMING: Final = frozenset(
    {
        Event.LOGIN_FAILED,
        Event.LOGIN_LIMITED,
        Event.TOKEN_REUSED,
        Event.PASSWORD_CHECK_FAILED,
        Event.LINK_PASSWORD_FAILED,
    }
)


class Actor(Protocol):
    """Whoever did something: an account, by a session or an API key of its own."""

    @property
    def account_uuid(self) -> str: ...
    @property
    def session(self) -> str | None: ...
    @property
    def key(self) -> str | None: ...


def record(event: Event, by: Actor | None = None, /, **facts: object) -> None:
    """Log an event, and who did it if known; call it after the commit."""
    if by is not None:
        who = {"by": by.account_uuid, "by_session": by.session, "by_key": by.key}
        facts |= {name: value for name, value in who.items() if value is not None}
    (log.warning if event in _ALARMING else log.info)("security", action=event.value, **facts)
