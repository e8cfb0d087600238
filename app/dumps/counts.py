"""Counts of dumps: by day, and by label or signature.

They are kept as dumps come and go (`dump_counts`). Dumps that have expired and wait for their
removal are in them, and are taken off here.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Connection, func, select

from app import clock
from app.accounts.identity import Identity
from app.dumps.entities import Counts
from app.dumps.tables import dump_counts, dumps
from app.objects.tables import objects

DAY: Final = 24 * 60 * clock.MINUTE
_WAITING: Final = 10_000  # expired dumps that are looked at; so many are removed within seconds
_count: Final = func.sum(dump_counts.c.count)


@dataclass(frozen=True, slots=True)
class Expired:
    """A dump that has expired and is counted still."""

    day: int
    label: str | None
    signature: str | None
    size: int


def expired(connection: Connection, identity: Identity, now: int) -> Sequence[Expired]:
    """Return the account's dumps that wait for their removal."""
    waiting = (
        select(dumps.c.id)
        .where(dumps.c.expires_at <= now)
        .order_by(dumps.c.expires_at)
        .limit(_WAITING)
    )
    found = connection.execute(
        select(dumps.c.created_at, dumps.c.label, dumps.c.signature, objects.c.size)
        .select_from(dumps.join(objects))
        .where(dumps.c.id.in_(waiting), dumps.c.account_id == identity.account_id)
    )
    return [Expired(moment // DAY, *more) for moment, *more in found]


def count(
    connection: Connection, identity: Identity, days: int, signatures: int, now: int
) -> Counts:
    """Count the dumps of the last ``days`` days, including today.

    ``signatures`` is how many of the most frequent ones to return.
    """
    today = now // DAY
    first = today - days + 1
    gone = [dump for dump in expired(connection, identity, now) if dump.day >= first]
    kept = select(dump_counts.c.day, dump_counts.c.count).where(
        *_of(identity, "day", first), dump_counts.c.name == ""
    )
    by_day = Counter(dict(tuple(row) for row in connection.execute(kept)))
    by_day.subtract(dump.day for dump in gone)
    fewer = Counter(dump.signature for dump in gone if dump.signature is not None)
    # an expression: in the order of names SQLite would read the days before, too
    name = dump_counts.c.name.concat("")
    frequent = (
        select(name, _count)
        .where(*_of(identity, "signature", first))
        .group_by(name)
        .order_by(_count.desc(), name)
        .limit(signatures + len(fewer))
    )
    counted = [(name, int(n) - fewer[name]) for name, n in connection.execute(frequent)]
    most = sorted((-n, name) for name, n in counted if n > 0)[:signatures]
    return Counts(
        days=[(_date(number), by_day[number]) for number in range(first, today + 1)],
        signatures=[(name, -n) for n, name in most],
    )


def _of(identity: Identity, facet: str, first: int) -> tuple[ColumnElement[bool], ...]:
    return (
        dump_counts.c.account_id == identity.account_id,
        dump_counts.c.facet == facet,
        dump_counts.c.day >= first,
    )


def _date(day: int) -> date:
    return date(1970, 1, 1) + timedelta(days=day)
