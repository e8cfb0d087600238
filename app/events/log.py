"""The log of events, written where things happen."""

import json
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, bindparam
from sqlalchemy.dialects import postgresql, sqlite
from uuid_utils import uuid7

from app import clock
from app.database import Statement, insert_into, notify
from app.events.deliveries import HAS_WEBHOOKS, enqueue
from app.events.entities import Actor, Event, EventType, Subject
from app.events.tables import events

_HOUR: Final = 60 * clock.MINUTE

_insert = Statement(insert_into(events).returning(HAS_WEBHOOKS))


def _counting(dialect: Any) -> Any:  # noqa: ANN401 - either dialect's insert
    columns = [column for column in events.c if column is not events.c.id]
    new = dialect.insert(events).values(
        {column.name: bindparam(column.name, type_=column.type) for column in columns}
    )
    return new.on_conflict_do_update(
        index_elements=[events.c.merged],
        index_where=events.c.merged.is_not(None),
        set_={
            "count": events.c.count + 1,
            "last_at": new.excluded.last_at,
            "address": new.excluded.address,
        },
    ).returning(events.c.count.label("number"), HAS_WEBHOOKS)


_count = Statement({"sqlite": _counting(sqlite), "postgresql": _counting(postgresql)})


def record(
    connection: Connection,
    type: EventType,  # noqa: A002 - the field's name
    account_id: int,
    actor: Actor,
    subject: Subject | None = None,
    /,
    **facts: Any,  # noqa: ANN401 - plain values
) -> None:
    """Record an event in an account's log, within the transaction in which it happens.

    ``facts`` are plain values for JSON, and no secrets. Those who listen are told of it after the
    commit.
    """
    event = Event(type, account_id, actor, subject, facts)
    row = _row(event, merged=None)
    has_webhooks = _insert(connection, owner=account_id, **row).scalar_one()
    is_awaited = bool(has_webhooks) and enqueue(connection, event, row["uuid"])
    notify(connection, replace(event, is_awaited=is_awaited))


def count(
    connection: Connection,
    type: EventType,  # noqa: A002
    account_id: int,
    actor: Actor,
    subject: Subject | None = None,
    /,
    *,
    by: str = "",
    **facts: Any,  # noqa: ANN401
) -> None:
    """Record what strangers can repeat: an account has one row of it an hour, which counts.

    ``by`` tells apart what is counted apart. Webhooks are told of the first.
    """
    event = Event(type, account_id, actor, subject, facts)
    row = _row(event, merged=f"{account_id} {type} {actor.at // _HOUR} {by}")
    counted = _count(connection, owner=account_id, **row).one()
    is_first = counted.number == 1
    is_awaited = is_first and bool(counted.has_webhooks) and enqueue(connection, event, row["uuid"])
    notify(connection, replace(event, is_awaited=is_awaited))


def _row(event: Event, *, merged: str | None) -> dict[str, Any]:
    actor, subject = event.actor, event.subject
    return {
        "uuid": str(uuid7()),
        "account_id": event.account_id,
        "type": event.type.value,
        "created_at": actor.at,
        "last_at": actor.at,
        "count": 1,
        "address": actor.address,
        "actor": json.dumps(actor.facts),
        "subject_kind": None if subject is None else subject.kind,
        "subject_id": None if subject is None else subject.id,
        "subject_name": None if subject is None else subject.name,
        "facts": json.dumps(event.facts),
        "merged": merged,
    }
