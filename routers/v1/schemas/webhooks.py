"""Schemas of webhooks, and of what they have been told."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, Field, StrictBool

from app import clock
from app.events.entities import ALL, EventType
from app.webhooks import entities
from app.webhooks.entities import (
    MAX_DESCRIPTION,
    MAX_URL,
    DeliveryState,
    NewWebhook,
    PauseReason,
    PayloadFormat,
)
from routers.v1.schemas.fields import Id, Text, values_of
from routers.v1.schemas.lists import ListOf

_KNOWN: Final = frozenset({ALL, *EventType})


def _check_types(types: list[str]) -> list[str]:
    unknown = [name for name in types if name not in _KNOWN]
    if unknown:
        raise ValueError(f"no such type of event: {', '.join(unknown)}")
    return [ALL] if ALL in types else list(dict.fromkeys(types))


Url = Annotated[
    Text,
    Field(
        min_length=1,
        max_length=MAX_URL,
        description="Where to: `https://` and a public address, unless "
        "`WEBHOOK_PRIVATE_ADDRESSES` allows others.",
        examples=["https://example.org/hooks/holdall"],
    ),
]
Types = Annotated[
    list[Annotated[str, Field(max_length=32)]],
    AfterValidator(_check_types),
    Field(
        min_length=1,
        max_length=64,
        description="Types of events, or `*` for all.",
        examples=[["file.received", "link.used_up"]],
    ),
]
FormatField = Annotated[
    PayloadFormat,
    Field(
        description="`standard`: Standard Webhooks, signed; `slack`: a sentence, as Slack's "
        "incoming webhooks take it.",
        examples=["standard"],
    ),
]
Description = Annotated[
    Text, Field(min_length=1, max_length=MAX_DESCRIPTION, examples=["Our build server"])
]


class WebhookCreate(BaseModel):
    """What a webhook is to be."""

    url: Url
    events: Types
    format: FormatField = PayloadFormat.STANDARD
    is_active: StrictBool = Field(
        default=True, description="Whether it is told of what happens from now on."
    )
    description: Description | None = None

    def new_webhook(self) -> NewWebhook:
        """Return the webhook that is to be made."""
        return NewWebhook(self.url, self.events, self.format, self.description, self.is_active)


class WebhookChange(BaseModel):
    """Changes of a webhook; what is absent stays, and so does what is null but a description."""

    url: Url | None = None
    events: Types | None = None
    format: FormatField | None = None
    is_active: StrictBool | None = Field(
        None, description="`true` ends a pause, and sends what has waited."
    )
    description: Description | None = None

    def facts(self) -> Mapping[str, Any]:
        """Return what is to change."""
        sent = self.model_dump(exclude_unset=True)
        facts = {n: v for n, v in sent.items() if v is not None or n == "description"}
        if "events" in facts:
            facts["types"] = facts.pop("events")
        return facts


class Webhook(BaseModel):
    """A webhook, without its secret."""

    id: Id
    url: str = Field(
        description="An API key sees scheme and host: the rest may be a secret.",
        examples=["https://example.org/hooks/holdall"],
    )
    events: list[str] = Field(examples=[["file.received", "link.used_up"]])
    format: PayloadFormat
    description: str | None = Field(examples=["Our build server"])
    is_active: bool
    paused_for: PauseReason | None = Field(
        description="Why the service has made it inactive: the receiver answered 410 (`gone`), "
        "none of 20 attempts ever succeeded (`never_worked`), or all have failed for 3 days "
        "(`failing`)."
    )
    created_at: datetime
    succeeded_at: datetime | None = Field(description="When an attempt last succeeded.")
    failing_since: datetime | None = Field(
        description="The first failure since then; null: the last attempt succeeded."
    )

    @classmethod
    def of(cls, webhook: entities.Webhook, **more: str) -> Self:
        """Make the body that answers for a webhook."""
        since = webhook.failing_since
        values = values_of(webhook, cls) | {
            "failing_since": None if since is None else clock.to_datetime(since)
        }
        return cls(id=webhook.uuid, events=list(webhook.types), **values, **more)


class WebhookSecret(BaseModel):
    """The secret of a webhook."""

    secret: str = Field(
        description="Signs what is sent, by HMAC-SHA256; shown this once.",
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )


class CreatedWebhook(Webhook, WebhookSecret):
    """A new webhook."""


class WebhookList(ListOf[Webhook]):
    """A page of webhooks, newest first."""


class Attempt(BaseModel):
    """How an attempt to deliver ended."""

    at: datetime
    milliseconds: int = Field(examples=[87])
    status: int | None = Field(description="Null: there was no answer.", examples=[204])
    answer: str = Field(description="The first 512 bytes of the answer.", examples=["ok"])
    error: str | None = Field(
        description="Why there was no answer.", examples=["The connection was refused"]
    )

    @classmethod
    def of(cls, attempt: entities.Attempt) -> Self:
        """Make the body that answers for an attempt."""
        values = values_of(attempt, cls) | {"at": clock.to_datetime(attempt.at)}
        return cls(**values)


class Delivery(BaseModel):
    """What a webhook was told, or is to be told, and how that went."""

    id: Id = Field(description="The event's, and the `webhook-id` of the requests.")
    type: str = Field(examples=["file.received"])
    data: dict[str, Any] = Field(
        description="What it says of the event.",
        examples=[{"subject": {"kind": "file", "id": "0199a8b0", "name": "notes.txt"}}],
    )
    state: DeliveryState = Field(description="`waiting` for an attempt; `failed`: given up.")
    created_at: datetime
    due_at: datetime | None = Field(
        description="When it is tried next. Null for one that is waiting: when the webhook is "
        "active again."
    )
    attempts: int = Field(description="How many there were.", examples=[1])
    outcomes: list[Attempt] = Field(description="Of the last 12, the latest last.")

    @classmethod
    def of(cls, delivery: entities.Delivery) -> Self:
        """Make the body that answers for a delivery."""
        outcomes = [Attempt.of(attempt) for attempt in delivery.outcomes]
        values = values_of(delivery.message, cls) | values_of(delivery, cls)
        return cls(**(values | {"outcomes": outcomes}))


class DeliveryList(ListOf[Delivery]):
    """A page of deliveries, newest first."""
