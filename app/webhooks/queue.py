"""The queue of deliveries: claimed, noted, and held while a webhook is paused.

A claim is a lease: a delivery whose process dies is due again when that ends.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, and_, func, select, update

from app import clock
from app.accounts import quota
from app.accounts.tables import accounts
from app.events.entities import Actor, EventType, Subject
from app.events.log import record
from app.events.tables import deliveries, webhooks
from app.webhooks import schedule
from app.webhooks.entities import TEST, Attempt, DeliveryState, Message, PayloadFormat, host_of

LEASE: Final = 60 * clock.SECOND
"""How long a claim lasts: longer than an attempt with its transactions."""

_LOOKED_AT: Final = 64  # deliveries, to find some of different webhooks
_OUTCOMES: Final = 12  # of a delivery that are kept


@dataclass(frozen=True, slots=True)
class Due:
    """A delivery that is due."""

    id: int
    webhook_id: int
    account_id: int


@dataclass(frozen=True, slots=True)
class Busy:
    """Webhooks and accounts that have as many attempts under way as they may."""

    webhooks: frozenset[int]
    accounts: frozenset[int]

    @property
    def is_none(self) -> ColumnElement[bool]:
        """The condition for deliveries of none of them."""
        return and_(
            deliveries.c.webhook_id.not_in(self.webhooks),
            deliveries.c.account_id.not_in(self.accounts),
        )


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that this process is to attempt, and all that it takes."""

    due: Due
    until: int
    """When the claim ends; it tells the claim from later ones."""
    message: Message
    attempts: int
    """That have been made."""
    webhook: str
    url: str
    format: PayloadFormat
    rotation: int
    rotated_at: int | None


_of_active_account: Final = and_(
    accounts.c.id == deliveries.c.account_id, accounts.c.is_active, accounts.c.deleted_at.is_(None)
)


def due(connection: Connection, now: int, busy: Busy) -> Sequence[Due]:
    """Return some of the deliveries that are due, the most overdue first."""
    rows = connection.execute(
        select(deliveries.c.id, deliveries.c.webhook_id, deliveries.c.account_id)
        .join(accounts, _of_active_account)
        .where(deliveries.c.due_at <= now, busy.is_none)
        .order_by(deliveries.c.due_at)
        .limit(_LOOKED_AT)
    )
    return [Due(*row) for row in rows]


def next_due(connection: Connection, busy: Busy) -> int | None:
    """Return when the next delivery is due, in microseconds; None: none is."""
    moment: int | None = connection.execute(
        select(func.min(deliveries.c.due_at))
        .join(accounts, _of_active_account)
        .where(deliveries.c.due_at.is_not(None), busy.is_none)
    ).scalar()
    return moment


def claim(connection: Connection, ids: Collection[int], now: int) -> Sequence[Claimed]:
    """Claim those of some deliveries that are still due."""
    until = now + LEASE
    still_due = (
        select(deliveries.c.id)
        .where(deliveries.c.id.in_(ids), deliveries.c.due_at <= now)
        .with_for_update(skip_locked=True)
    )
    taken = connection.execute(
        update(deliveries)
        .where(deliveries.c.id.in_(still_due))
        .values(due_at=until)
        .returning(deliveries.c.id)
    )
    own = (
        *(webhooks.c.uuid, webhooks.c.url, webhooks.c.format),
        *(webhooks.c.rotation, webhooks.c.rotated_at),
    )
    rows = connection.execute(
        select(deliveries, *own)
        .join(webhooks, webhooks.c.id == deliveries.c.webhook_id)
        .where(deliveries.c.id.in_(taken.scalars().all()))
    )
    return [
        Claimed(
            due=Due(row.id, row.webhook_id, row.account_id),
            until=until,
            message=message_of(row),
            attempts=row.attempts,
            webhook=row.uuid,
            url=row.url,
            format=PayloadFormat(row.format),
            rotation=row.rotation,
            rotated_at=row.rotated_at,
        )
        for row in rows
    ]


def give_back(connection: Connection, claimed: Sequence[Claimed], now: int) -> None:
    """Let deliveries be due again that are still claimed: they were not attempted to the end."""
    for each in claimed:
        connection.execute(update(deliveries).where(_is_claimed(each)).values(due_at=now))


def note(
    connection: Connection, claimed: Claimed, attempt: Attempt, again_at: int | None, now: int
) -> None:
    """Note how an attempt ended: the delivery is done, due at ``again_at``, or given up.

    Its webhook may be paused by it, of which the account's log has an event.
    """
    quota.lock_account(connection, claimed.due.account_id)
    webhook = _note_for_webhook(connection, claimed, attempt, now)
    named = _is_claimed(claimed)
    former = connection.execute(select(deliveries.c.outcomes).where(named)).scalar()
    if webhook is None:  # it has been deleted
        return
    if former is not None:  # else it is sent again already
        state = _state_after(claimed, attempt, again_at)
        outcomes = [*json.loads(former), asdict(attempt)][-_OUTCOMES:]
        columns = {
            "state": state.value,
            "due_at": again_at if state is DeliveryState.WAITING and webhook.is_active else None,
            "attempts": claimed.attempts + 1,
            "outcomes": json.dumps(outcomes),
        }
        connection.execute(update(deliveries).where(named).values(columns))
    if again_at is not None and schedule.asks_to_wait(attempt):
        _postpone(connection, webhook.id, again_at, now)
    if webhook.is_active and webhook.failing_since is not None:
        _pause_if_due(connection, attempt, webhook, now)


def hold(connection: Connection, webhook_id: int, *, until: int | None) -> None:
    """Hold all that waits for a webhook until a moment; None: until it is active again."""
    waits = and_(
        deliveries.c.webhook_id == webhook_id, deliveries.c.state == DeliveryState.WAITING.value
    )
    connection.execute(update(deliveries).where(waits).values(due_at=until))


def message_of(row: Row[Any]) -> Message:
    """Return what a row of deliveries says."""
    return Message(row.event, row.type, row.created_at, json.loads(row.data))


def outcomes_of(text: str) -> Sequence[Attempt]:
    """Return what `deliveries.outcomes` says."""
    return [Attempt(**outcome) for outcome in json.loads(text)]


def _is_claimed(claimed: Claimed) -> ColumnElement[bool]:
    return and_(deliveries.c.id == claimed.due.id, deliveries.c.due_at == claimed.until)


def _state_after(claimed: Claimed, attempt: Attempt, again_at: int | None) -> DeliveryState:
    if attempt.succeeded:
        return DeliveryState.DELIVERED
    return (
        DeliveryState.FAILED
        if again_at is None or claimed.message.type == TEST
        else DeliveryState.WAITING
    )


def _note_for_webhook(
    connection: Connection, claimed: Claimed, attempt: Attempt, now: int
) -> Row[Any] | None:
    """Note an attempt for its webhook; returns its row, None if it is gone."""
    if attempt.succeeded:
        columns: dict[str, Any] = {"succeeded_at": now, "failing_since": None, "failures": 0}
    else:
        failing_since = func.coalesce(webhooks.c.failing_since, now)
        columns = {"failing_since": failing_since, "failures": webhooks.c.failures + 1}
    noted = update(webhooks).where(webhooks.c.id == claimed.due.webhook_id).values(columns)
    return connection.execute(noted.returning(webhooks)).first()


def _postpone(connection: Connection, webhook_id: int, again_at: int, now: int) -> None:
    """Let all that is due wait that hasn't been begun."""
    is_due = and_(deliveries.c.webhook_id == webhook_id, deliveries.c.due_at <= now)
    connection.execute(update(deliveries).where(is_due).values(due_at=again_at))


def _pause_if_due(connection: Connection, attempt: Attempt, webhook: Row[Any], now: int) -> None:
    pause = schedule.pause_after(
        attempt,
        webhook.failures,
        webhook.failing_since,
        worked=webhook.succeeded_at is not None,
        now=now,
    )
    if pause is None:
        return
    columns = {"is_active": False, "paused_for": pause.value}
    connection.execute(update(webhooks).where(webhooks.c.id == webhook.id).values(columns))
    hold(connection, webhook.id, until=None)
    subject = Subject("webhook", webhook.uuid, host_of(webhook.url))
    account, actor = webhook.account_id, Actor(now)
    record(connection, EventType.WEBHOOK_PAUSED, account, actor, subject, reason=pause.value)
