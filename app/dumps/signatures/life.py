"""The life of a signature: new with its first crash, resolved, and open again by a regression.

Functions of transactions that have locked the account.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, func, select, update

from app import clock
from app.dumps.signatures.entities import DAY, State
from app.dumps.tables import dump_counts, signatures
from app.dumps.versions import is_later
from app.events.entities import Actor, EventType, Subject
from app.events.log import count, record

KEPT: Final = 10_000
"""Signatures without dumps that an account keeps, if nobody has said anything of them."""

_SPIKE: Final = 10  # crashes in an hour, at least
_TIMES: Final = 5  # as many as an hour of the week before had, in the mean
_WEEK: Final = 7
_HOURS: Final = 24 * _WEEK
_HOUR: Final = 60 * clock.MINUTE
_FEW: Final = 100

_SAID: Final = ("state", "resolved_in", "resolved_at", "regressed_in", "regressed_at", "note")


_ALOUD: Final = 20  # new signatures an hour that are told of one by one


@dataclass(frozen=True, slots=True)
class Crash:
    """A dump that was read for the first time."""

    dump: str
    """Its uuid."""
    signature: str
    version: str | None
    platform: str | None
    received_at: int


def find(connection: Connection, account_id: int, name: str | None) -> Row[Any] | None:
    """Return the row of a signature."""
    own = signatures.c.account_id == account_id
    return connection.execute(select(signatures).where(own, signatures.c.name == name)).first()


def crashed(
    connection: Connection, account_id: int, crash: Crash, now: int, *, is_new: bool
) -> None:
    """Note a crash that is counted already, and record what it is for its signature.

    ``is_new`` tells that its dump has made the signature.
    """
    row = find(connection, account_id, crash.signature)
    assert row is not None, "the dump's triggers make it"
    values = _hours(row, crash.received_at)
    if is_new:
        _tell_new(connection, row, crash, now)
        _forget_oldest(connection, account_id)
    elif row.state == State.RESOLVED and _reopens(row, crash):
        _tell(connection, EventType.DUMP_REGRESSION, row, crash, row.count + row.gone, now)
        values |= {
            "state": State.OPEN,
            "regressed_in": crash.version,
            "regressed_at": crash.received_at,
            "modified_at": crash.received_at,
        }
    today = crash.received_at // DAY
    if values and row.state != State.IGNORED and row.spike_day != today:
        last_hour = _last_hour(values, crash.received_at)
        mean = _week_before(connection, row, today) / _HOURS
        if last_hour >= _SPIKE and last_hour >= _TIMES * mean:
            _tell(connection, EventType.DUMP_SPIKE, row, crash, last_hour, now)
            values["spike_day"] = today
    if values:
        connection.execute(update(signatures).where(signatures.c.id == row.id).values(values))


def renamed(connection: Connection, account_id: int, old: str | None, new: str | None) -> None:
    """Let what is known of a signature go on under the name that symbols have given its dump.

    ``new`` is a signature that this dump has made; None where it was there before. The old one is
    forgotten once it has no dump left and never lost one, unless that loses what people said of it.
    """
    before = find(connection, account_id, old)
    if before is None:
        return
    if new is not None:
        known = {name: getattr(before, name) for name in _SAID}
        own = signatures.c.account_id == account_id
        connection.execute(update(signatures).where(own, signatures.c.name == new).values(known))
    is_said = before.state != State.OPEN or before.note
    if before.count == before.gone == 0 and (new is not None or not is_said):
        connection.execute(delete(signatures).where(signatures.c.id == before.id))


def _reopens(row: Row[Any], crash: Crash) -> bool:
    """Tell whether a crash shows that a resolved signature isn't: it is of a later version.

    Where a version isn't known, it has to be received after the resolution.
    """
    if row.resolved_in is not None and crash.version is not None:
        return is_later(crash.version, row.resolved_in)
    return bool(crash.received_at > row.resolved_at)


def _hours(row: Row[Any], received_at: int) -> dict[str, Any]:
    """Return the counts of the clock hour of a crash and the one before; none for an older one."""
    hour = received_at // _HOUR
    if hour < row.hour:
        return {}
    if hour == row.hour:
        return {"hour": hour, "in_hour": row.in_hour + 1, "in_hour_before": row.in_hour_before}
    before = row.in_hour if hour == row.hour + 1 else 0
    return {"hour": hour, "in_hour": 1, "in_hour_before": before}


def _last_hour(hours: Mapping[str, Any], received_at: int) -> int:
    """Return how many came in the last 60 minutes, as if those of a clock hour came evenly."""
    into = received_at % _HOUR
    return int(hours["in_hour"] + hours["in_hour_before"] * (_HOUR - into) // _HOUR)


def _week_before(connection: Connection, row: Row[Any], today: int) -> int:
    found = connection.execute(
        select(func.sum(dump_counts.c.count)).where(
            dump_counts.c.account_id == row.account_id,
            dump_counts.c.facet == "signature",
            dump_counts.c.name == row.name,
            dump_counts.c.day.between(today - _WEEK, today - 1),
        )
    ).scalar()
    return int(found or 0)


def _tell_new(connection: Connection, row: Row[Any], crash: Crash, now: int) -> None:
    """Record a new signature; where strangers make very many, those of an hour as one event."""
    newest = (
        select(signatures.c.id)
        .where(signatures.c.account_id == row.account_id)
        .where(signatures.c.first_seen_at > crash.received_at - _HOUR)
        .limit(_ALOUD + 1)
    )
    tell = record
    if len(connection.execute(newest).all()) > _ALOUD:
        tell = count
    _tell(connection, EventType.DUMP_NEW_SIGNATURE, row, crash, 1, now, tell)


def _tell(
    connection: Connection,
    type: EventType,  # noqa: A002 - the field's name
    row: Row[Any],
    crash: Crash,
    number: int,
    now: int,
    tell: Callable[..., None] = record,
) -> None:
    facts = {"dump": crash.dump, "version": crash.version, "platform": crash.platform}
    known = {name: value for name, value in facts.items() if value is not None}
    subject = Subject("signature", row.uuid, row.name)
    tell(connection, type, row.account_id, Actor(now), subject, **known, crashes=number)


def _forget_oldest(connection: Connection, account_id: int) -> None:
    """Forget what strangers could fill an account with: names alone, last seen long ago."""
    oldest = (
        select(signatures.c.id)
        .where(signatures.c.account_id == account_id, signatures.c.count == 0)
        .where(signatures.c.state == State.OPEN, signatures.c.note == "")
        .order_by(signatures.c.last_seen_at.desc())
        .offset(KEPT)
        .limit(_FEW)
    )
    connection.execute(delete(signatures).where(signatures.c.id.in_(oldest)))
