"""What webhooks are, and what they have been told. Times are in UTC microseconds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

from app.objects.entities import new_uuid

MAX_WEBHOOKS: Final = 20
"""Webhooks of an account."""

MAX_URL: Final = 2048
MAX_DESCRIPTION: Final = 200

TEST: Final = "webhook.test"
"""The type of what is sent to try a webhook; it is no event, and is sent once."""


class PayloadFormat(StrEnum):
    """What a webhook's requests look like."""

    STANDARD = "standard"
    """Standard Webhooks: signed, and in JSON."""
    SLACK = "slack"
    """A sentence, as Slack's incoming webhooks take it, and others that are made like them."""


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"
    """Given up."""


class PauseReason(StrEnum):
    """Why the service has paused a webhook."""

    GONE = "gone"
    """The receiver answered 410: it wants no more."""
    NEVER_WORKED = "never_worked"
    """So many attempts failed, and none ever succeeded."""
    FAILING = "failing"
    """Every attempt has failed for days."""


@dataclass(frozen=True, slots=True)
class NewWebhook:
    """A webhook that is to be made."""

    url: str
    types: Sequence[str]
    """Types of events, or ``*`` alone for all."""
    format: PayloadFormat
    description: str | None = None
    is_active: bool = True
    uuid: str = field(default_factory=new_uuid)


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook as its account sees it."""

    uuid: str
    url: str
    """Whole only for sessions: keys get scheme and host."""
    types: Sequence[str]
    format: PayloadFormat
    description: str | None
    is_active: bool
    paused_for: PauseReason | None
    """None: the service hasn't paused it."""
    created_at: int
    rotation: int
    """The number of its secret."""
    succeeded_at: int | None
    """When an attempt succeeded for the last time; None: never."""
    failing_since: int | None
    """When one failed for the first time since then; None: the last one succeeded."""

    @property
    def host(self) -> str:
        return host_of(self.url)


@dataclass(frozen=True, slots=True)
class Attempt:
    """How an attempt to deliver ended."""

    at: int
    milliseconds: int
    status: int | None
    """None: there was no answer."""
    answer: str = ""
    """The first bytes of the answer's body."""
    error: str | None = None
    """Why there was no answer."""
    retry_after: int | None = None
    """Seconds that the receiver asks to wait."""

    @property
    def succeeded(self) -> bool:
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004

    @property
    def ends_all(self) -> bool:
        """Whether the receiver wants no more."""
        return self.status == 410  # noqa: PLR2004


@dataclass(frozen=True, slots=True)
class Message:
    """What a webhook is told."""

    id: str
    """Uuid of the event, and the ``webhook-id`` of the requests."""
    type: str
    created_at: int
    """When it happened."""
    data: Mapping[str, Any]
    """What it says of the event, but for its id and the URL of its page."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a webhook was told, or is to be told, and how that went."""

    message: Message
    state: DeliveryState
    due_at: int | None
    """When it is tried next; None: it isn't, for now."""
    attempts: int
    outcomes: Sequence[Attempt]
    """Of the last attempts, the latest last."""


def host_of(url: str) -> str:
    """Return the host of a URL, with the port if it has one."""
    return urlsplit(url).netloc


def without_path(url: str) -> str:
    """Return a URL as those may see it who must not know the secrets that it may hold."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/…"
