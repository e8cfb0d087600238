"""Events: what happened, to what, and who did it."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from app.logging import current_request


class EventType(StrEnum):
    """What happened."""

    FILE_RECEIVED = "file.received"
    BUNDLE_RECEIVED = "bundle.received"
    PICTURE_ADDED = "picture.added"
    LINK_CREATED = "link.created"
    LINK_DELETED = "link.deleted"
    LINK_USED_UP = "link.used_up"
    LINK_PASSWORD_FAILED = "link.password_failed"  # noqa: S105
    DUMP_NEW_SIGNATURE = "dump.new_signature"
    DUMP_REGRESSION = "dump.regression"
    DUMP_SPIKE = "dump.spike"
    DUMP_POLICY_CHANGED = "dump.policy_changed"
    DUMP_RULES_CHANGED = "dump.rules_changed"
    DUMP_RULES_STOPPED = "dump.rules_stopped"  # by the service
    LOGIN_FAILED = "login.failed"
    LOGIN_LIMITED = "login.limited"
    SESSION_BEGUN = "session.begun"
    SESSION_ENDED = "session.ended"
    TOKEN_REUSED = "token.reused"  # noqa: S105 - a refresh token came again, which ends its session
    CREDENTIALS_ENDED = "credentials.ended"  # all sessions and keys of an account
    KEY_CREATED = "key.created"
    KEY_DELETED = "key.deleted"
    PASSWORD_CHECK_FAILED = "password.check_failed"  # noqa: S105 - of somebody signed in
    PASSWORD_CHANGED = "password.changed"  # noqa: S105
    SECOND_FACTOR_ENABLED = "second_factor.enabled"
    SECOND_FACTOR_DISABLED = "second_factor.disabled"
    SECOND_FACTOR_FAILED = "second_factor.failed"  # a wrong code, after the right password
    RECOVERY_CODE_USED = "recovery_code.used"
    RECOVERY_CODES_RENEWED = "recovery_code.renewed"
    EMAIL_CHANGED = "email.changed"
    ACCOUNT_CREATED = "account.created"
    ACCOUNT_CHANGED = "account.changed"  # by an administrator
    ACCOUNT_DELETED = "account.deleted"
    INVITATION_CREATED = "invitation.created"
    INVITATION_ACCEPTED = "invitation.accepted"
    INVITATION_DELETED = "invitation.deleted"
    RESET_CREATED = "reset.created"
    RESET_USED = "reset.used"
    TIER_CREATED = "tier.created"
    TIER_CHANGED = "tier.changed"
    TIER_DELETED = "tier.deleted"
    WEBHOOK_CREATED = "webhook.created"
    WEBHOOK_CHANGED = "webhook.changed"
    WEBHOOK_DELETED = "webhook.deleted"
    WEBHOOK_PAUSED = "webhook.paused"  # by the service

    @property
    def is_alarming(self) -> bool:
        """Whether somebody may be trying to get in."""
        return self in _ALARMING

    @property
    def is_about_security(self) -> bool:
        """Whether it is about accounts and what lets them in; these leave lines in the log."""
        return self in _ALARMING or self.partition(".")[0] in _OF_SECURITY


ALL: Final = "*"
"""Stands for events of all types."""

_ALARMING: Final = frozenset(
    {
        EventType.LOGIN_FAILED,
        EventType.LOGIN_LIMITED,
        EventType.TOKEN_REUSED,
        EventType.PASSWORD_CHECK_FAILED,
        EventType.SECOND_FACTOR_FAILED,
        EventType.LINK_PASSWORD_FAILED,
    }
)
_OF_SECURITY: Final = frozenset(
    {
        *("login", "session", "token", "credentials", "key", "password", "email"),
        *("account", "tier", "invitation", "reset", "webhook", "second_factor", "recovery_code"),
    }
)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did something, when, and from where; texts are None where they aren't known."""

    at: int
    """In UTC microseconds."""
    address: str | None = None
    account: str | None = None
    """Uuid of the account that did it; None: a visitor if there is an address, else the service."""
    username: str | None = None
    session: str | None = None
    key: str | None = None
    key_name: str | None = None

    @property
    def facts(self) -> dict[str, str]:
        """What is known of who it was."""
        known = {
            "account": self.account,
            "username": self.username,
            "session": self.session,
            "key": self.key,
            "key_name": self.key_name,
        }
        return {name: value for name, value in known.items() if value is not None}


def actor_of_request(at: int, **known: str | None) -> Actor:
    """Return who does what the running request does; call it on the event loop."""
    request = current_request.get()
    return Actor(at, None if request is None else request.address, **known)


@dataclass(frozen=True, slots=True)
class Subject:
    """What an event is about: the kind of thing, its public id, and its name if it has one."""

    kind: str
    id: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """What has happened to an account; ``facts`` are plain values for JSON."""

    type: EventType
    account_id: int
    actor: Actor
    subject: Subject | None
    facts: dict[str, Any]
    is_awaited: bool = False
    """Whether webhooks are to be told of it."""
