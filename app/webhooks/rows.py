"""The rows of webhooks as their accounts have them: plain functions for `Access`."""

import json
from collections.abc import Mapping
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from app.accounts import quota
from app.accounts.identity import Identity
from app.database import require_storage
from app.database.pagination import Page, before_of, page_of
from app.errors import Conflict, NotFound
from app.events.deliveries import KEPT, data_of
from app.events.entities import ALL, EventType, Subject
from app.events.tables import deliveries, webhooks
from app.webhooks import queue
from app.webhooks.entities import (
    MAX_WEBHOOKS,
    TEST,
    Delivery,
    DeliveryState,
    NewWebhook,
    PauseReason,
    PayloadFormat,
    Webhook,
    host_of,
    without_path,
)

_LIST: Final = "webhooks"
_DELIVERIES: Final = "deliveries"
_BATCH: Final = 500


def create(connection: Connection, identity: Identity, new: NewWebhook, now: int) -> Webhook:
    """Make a webhook; raises `Conflict` where there are as many as there may be."""
    require_storage(connection)
    quota.lock_account(connection, identity.account_id)
    own = webhooks.c.account_id == identity.account_id
    count = connection.execute(select(func.count()).select_from(webhooks).where(own)).scalar_one()
    if count >= MAX_WEBHOOKS:
        raise Conflict(f"An account has at most {MAX_WEBHOOKS} webhooks; delete one first")
    # first, so that it isn't told of itself
    subject = Subject("webhook", new.uuid, host_of(new.url))
    identity.record(connection, EventType.WEBHOOK_CREATED, subject, format=new.format.value)
    connection.execute(
        insert(webhooks).values(
            uuid=new.uuid,
            account_id=identity.account_id,
            url=new.url,
            types=_joined(new.types),
            format=new.format.value,
            description=new.description,
            is_active=new.is_active,
            rotation=1,
            created_at=now,
            failures=0,
        )
    )
    return find(connection, identity, new.uuid)


def find(connection: Connection, identity: Identity, uuid: str) -> Webhook:
    """Return a webhook; raises `NotFound`."""
    return _webhook(_existing(connection, identity, uuid), identity)


def page(
    connection: Connection, identity: Identity, limit: int, cursor: str | None
) -> Page[Webhook]:
    """Return a page of the account's webhooks, newest first."""
    own = webhooks.c.account_id == identity.account_id
    listed = select(webhooks).where(own, webhooks.c.id < before_of(_LIST, cursor))
    rows = connection.execute(listed.order_by(webhooks.c.id.desc()).limit(limit + 1)).all()
    return page_of(_LIST, rows, limit, lambda row: _webhook(row, identity), lambda row: row.id)


def change(
    connection: Connection, identity: Identity, uuid: str, facts: Mapping[str, Any], now: int
) -> Webhook:
    """Change the facts that are given; raises `NotFound`.

    What waits is sent as soon as the webhook is active again, and held back until then.
    """
    row = _existing(connection, identity, uuid, locked=True)
    columns = {n: facts[n] for n in ("url", "description", "is_active") if n in facts}
    if "types" in facts:
        columns["types"] = _joined(facts["types"])
    if "format" in facts:
        columns["format"] = facts["format"].value
    is_active = facts.get("is_active", row.is_active)
    if is_active != row.is_active:
        columns |= {"paused_for": None, "failing_since": None, "failures": 0}
        queue.hold(connection, row.id, until=now if is_active else None)
    if columns:
        connection.execute(update(webhooks).where(webhooks.c.id == row.id).values(columns))
        changed = find(connection, identity, uuid)
        told = {name: changed.is_active for name in ("is_active",) if name in facts}
        identity.record(
            connection, EventType.WEBHOOK_CHANGED, _subject(changed), changed=[*facts], **told
        )
    return find(connection, identity, uuid)


def remove(connection: Connection, identity: Identity, uuid: str) -> bool:
    """Delete a webhook, or first a batch of its deliveries; returns whether it is gone.

    From the first call on nothing more is sent. Raises `NotFound`.
    """
    row = _existing(connection, identity, uuid, locked=True)
    batch = select(deliveries.c.id).where(deliveries.c.webhook_id == row.id).limit(_BATCH)
    if connection.execute(delete(deliveries).where(deliveries.c.id.in_(batch))).rowcount == _BATCH:
        if row.is_active:
            columns = {"is_active": False}
            connection.execute(update(webhooks).where(webhooks.c.id == row.id).values(columns))
            queue.hold(connection, row.id, until=None)
        return False
    subject = _subject(_webhook(row, identity))
    connection.execute(delete(webhooks).where(webhooks.c.id == row.id))
    identity.record(connection, EventType.WEBHOOK_DELETED, subject)
    return True


def rotate(connection: Connection, identity: Identity, uuid: str, now: int) -> Webhook:
    """Let a webhook have another secret; raises `NotFound`."""
    row = _existing(connection, identity, uuid, locked=True)
    columns = {"rotation": row.rotation + 1, "rotated_at": now}
    connection.execute(update(webhooks).where(webhooks.c.id == row.id).values(columns))
    changed = find(connection, identity, uuid)
    identity.record(connection, EventType.WEBHOOK_CHANGED, _subject(changed), changed=["secret"])
    return changed


def page_of_deliveries(
    connection: Connection, identity: Identity, uuid: str, limit: int, cursor: str | None
) -> Page[Delivery]:
    """Return a page of what a webhook was told or is to be told, newest first.

    Raises `NotFound`, and `Forbidden` for a key that may not read events.
    """
    identity.require("events:read")
    webhook = _existing(connection, identity, uuid)
    before = deliveries.c.id < before_of(_DELIVERIES, cursor)
    listed = select(deliveries).where(deliveries.c.webhook_id == webhook.id, before)
    rows = connection.execute(listed.order_by(deliveries.c.id.desc()).limit(limit + 1)).all()
    return page_of(_DELIVERIES, rows, limit, _delivery, lambda row: int(row.id))


def test(connection: Connection, identity: Identity, uuid: str, event: str, now: int) -> Delivery:
    """Queue a test for a webhook, active or not; raises `NotFound`."""
    require_storage(connection)
    webhook = _existing(connection, identity, uuid, locked=True)
    connection.execute(
        insert(deliveries).values(
            account_id=identity.account_id,
            webhook_id=webhook.id,
            event=event,
            type=TEST,
            data=json.dumps(data_of(None, identity.actor, {})),
            created_at=now,
            expires_at=now + KEPT,
            state=DeliveryState.WAITING.value,
            due_at=now,
            attempts=0,
            outcomes="[]",
        )
    )
    return _existing_delivery(connection, webhook.id, event)


def retry(connection: Connection, identity: Identity, uuid: str, event: str, now: int) -> Delivery:
    """Have something sent again, whatever became of it; raises `NotFound`."""
    webhook = _existing(connection, identity, uuid, locked=True)
    named = (deliveries.c.webhook_id == webhook.id) & (deliveries.c.event == event)
    columns = {"state": DeliveryState.WAITING.value, "due_at": now}
    connection.execute(update(deliveries).where(named).values(columns))
    return _existing_delivery(connection, webhook.id, event)


def _existing(
    connection: Connection, identity: Identity, uuid: str, *, locked: bool = False
) -> Row[Any]:
    """Return the row of a webhook; raises `NotFound`.

    A locked one gets no deliveries meanwhile: who queues these locks the row, too.
    """
    if locked:
        quota.lock_account(connection, identity.account_id)  # always first, as others do
    named = (webhooks.c.account_id == identity.account_id) & (webhooks.c.uuid == uuid)
    query = select(webhooks).where(named)
    row = connection.execute(query.with_for_update() if locked else query).first()
    if row is None:
        raise NotFound("No such webhook")
    return row


def _existing_delivery(connection: Connection, webhook_id: int, event: str) -> Delivery:
    named = (deliveries.c.webhook_id == webhook_id) & (deliveries.c.event == event)
    row = connection.execute(select(deliveries).where(named)).first()
    if row is None:
        raise NotFound("No such delivery")
    return _delivery(row)


def _webhook(row: Row[Any], identity: Identity) -> Webhook:
    is_of_session = identity.scopes is None
    return Webhook(
        uuid=row.uuid,
        url=row.url if is_of_session else without_path(row.url),
        types=row.types.split(),
        format=PayloadFormat(row.format),
        description=row.description,
        is_active=row.is_active,
        paused_for=None if row.paused_for is None else PauseReason(row.paused_for),
        created_at=row.created_at,
        rotation=row.rotation,
        succeeded_at=row.succeeded_at,
        failing_since=row.failing_since,
    )


def _delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        message=queue.message_of(row),
        state=DeliveryState(row.state),
        due_at=row.due_at,
        attempts=row.attempts,
        outcomes=queue.outcomes_of(row.outcomes),
    )


def _subject(webhook: Webhook) -> Subject:
    return Subject("webhook", webhook.uuid, webhook.host)


def _joined(types: Any) -> str:  # noqa: ANN401 - a sequence of texts
    """Return types as `webhooks.types` has them."""
    return ALL if ALL in types else f" {' '.join(types)} "
