"""Deliveries: what webhooks are to be told, queued in the transaction in which it happens."""

import json
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Connection,
    String,
    Text,
    bindparam,
    exists,
    insert,
    literal,
    or_,
    select,
)

from app import clock
from app.database import Statement
from app.events.entities import ALL, Actor, Event, Subject
from app.events.tables import deliveries, webhooks

KEPT: Final = 30 * 24 * 3600 * clock.SECOND
"""How long a delivery is kept, and so waits at most."""

_BY_EVENT: Final = {
    "event": String,
    "type": String,
    "data": Text,
    "created_at": BigInteger,
    "expires_at": BigInteger,
    "due_at": BigInteger,
}

HAS_WEBHOOKS: Final = (
    exists()
    .where(webhooks.c.account_id == bindparam("owner", type_=BigInteger), webhooks.c.is_active)
    .label("has_webhooks")
)
"""Whether the account ``owner`` has webhooks; asked where an event is inserted, it costs little."""


def _enqueue() -> Statement:
    wants = or_(
        webhooks.c.types == ALL,
        webhooks.c.types.like(bindparam("pattern", type_=String)),
    )
    given: list[Any] = [bindparam(name, type_=kind) for name, kind in _BY_EVENT.items()]
    wanting = (
        select(
            webhooks.c.account_id,
            webhooks.c.id,
            *given,
            literal("waiting"),
            literal(0),
            literal("[]"),
        )
        .where(
            webhooks.c.account_id == bindparam("account_id", type_=BigInteger),
            webhooks.c.is_active,
            wants,
        )
        # so that none of them is deleted before this has been committed
        .with_for_update(read=True, key_share=True)
    )
    names = ["account_id", "webhook_id", *_BY_EVENT, "state", "attempts", "outcomes"]
    return Statement(insert(deliveries).from_select(names, wanting))


_insert_for_all = _enqueue()


def enqueue(connection: Connection, event: Event, uuid: str) -> bool:
    """Queue an event for the active webhooks of its account that want it; returns if any does."""
    at = event.actor.at
    queued = _insert_for_all(
        connection,
        account_id=event.account_id,
        pattern=f"% {event.type} %",
        event=uuid,
        type=event.type.value,
        data=json.dumps(data_of(event.subject, event.actor, event.facts)),
        created_at=at,
        expires_at=at + KEPT,
        due_at=at,
    )
    return queued.rowcount > 0


def data_of(subject: Subject | None, actor: Actor, facts: dict[str, Any]) -> dict[str, Any]:
    """Return what is told of an event beside its id, type and time."""
    named = subject and {"kind": subject.kind, "id": subject.id, "name": subject.name}
    known = {name: fact for name, fact in facts.items() if fact is not None}
    return {"subject": named, "actor": actor.facts | {"address": actor.address}, "facts": known}
