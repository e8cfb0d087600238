"""Lines in the service's log about accounts and what lets them in.

Accounts, sessions and keys are named by their ids. No line holds a secret, or a part of one.
"""

from typing import Any

import structlog

from app.events.entities import Event, EventType

log = structlog.get_logger("holdall.security")


def write(event: Event) -> None:
    """Write the line of an event."""
    actor, subject = event.actor, event.subject
    who = {"by": actor.account, "by_session": actor.session, "by_key": actor.key}
    facts: dict[str, Any] = {} if subject is None else {subject.kind: subject.id}
    known = facts | event.facts | who | {"address": actor.address}
    write_line(event.type, **{name: value for name, value in known.items() if value is not None})


def write_line(type: EventType, **facts: Any) -> None:  # noqa: A002, ANN401
    """Write a line of something that isn't kept as an event."""
    (log.warning if type.is_alarming else log.info)("security", action=type.value, **facts)
