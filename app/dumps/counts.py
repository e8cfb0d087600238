"""Counts of dumps by day, and those of a signature by version and platform.

They are kept as dumps come and go (`dump_counts`, `signature_counts`), for an account, a label or a
signature. Dumps that have expired and wait for their removal are in them, and are taken off here.
Where other filters are given, the newest dumps that pass are counted one by one.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, Select, cast, func, select

from app import clock
from app.accounts.identity import Identity
from app.dumps.entities import Counts, Filters
from app.dumps.search import find as find_ids
from app.dumps.tables import dump_counts, dumps, signature_counts
from app.dumps.versions import newest_first
from app.objects.tables import objects

DAY: Final = 24 * 60 * clock.MINUTE
NEWEST: Final = 2_000
"""Dumps that are counted one by one, at most."""

_WAITING: Final = 10_000  # expired dumps that are looked at; so many are removed within seconds


@dataclass(frozen=True, slots=True)
class Expired:
    """A dump that has expired and is counted still."""

    day: int
    label: str | None
    signature: str | None
    version: str | None
    platform: str | None
    archived: bool
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
        select(
            dumps.c.created_at,
            dumps.c.label,
            dumps.c.signature,
            dumps.c.version,
            dumps.c.platform,
            dumps.c.archived,
            objects.c.size,
        )
        .select_from(dumps.join(objects))
        .where(dumps.c.id.in_(waiting), dumps.c.account_id == identity.account_id)
    )
    return [Expired(moment // DAY, *more) for moment, *more in found]


def count(
    connection: Connection, identity: Identity, filters: Filters, days: int, now: int
) -> Counts:
    """Count the dumps that pass the filters, of the last ``days`` days including today."""
    first = now // DAY - days + 1
    kept = _kept(identity, filters, first)
    if kept is None:
        return _one_by_one(connection, identity, filters, days, now)
    counted = [Counter(dict(tuple(row) for row in connection.execute(each))) for each in kept]
    for dump in expired(connection, identity, now):
        if dump.day >= first and _passes(dump, filters):
            keys = (dump.day, dump.version or "", dump.platform or "")
            for counts, key in zip(counted, keys, strict=False):
                counts[key] -= 1
    return _counts(counted, days, now)


def _kept(identity: Identity, filters: Filters, first: int) -> Sequence[Select[Any]] | None:
    """Return what selects kept counts: by day, of a signature by version and by platform as well.

    None where none are kept for the filters.
    """
    names: Sequence[str] = ("label",)
    if filters.signature is not None:
        names = ("signature", "version", "platform")
    if replace(filters, archived=None, **dict.fromkeys(names)) != Filters():
        return None
    given = {name: value for name in names if (value := getattr(filters, name)) is not None}
    if filters.signature is not None:
        table = signature_counts.c
        wanted = [table[name] == value for name, value in given.items()]
        columns = [table.day, table.version, table.platform]
    else:
        table = dump_counts.c
        facet = "label" if given else "day"
        wanted = [table.facet == facet, table.name == given.get("label", "")]
        columns = [table.day]
    number = {None: table.count, True: table.archived, False: table.count - table.archived}
    total = cast(func.sum(number[filters.archived]), BigInteger)
    wanted += [table.account_id == identity.account_id, table.day >= first]
    return [select(column, total).where(*wanted).group_by(column) for column in columns]


def _passes(dump: Expired, filters: Filters) -> bool:
    wanted = {name: getattr(filters, name) for name in Expired.__slots__ if hasattr(filters, name)}
    return all(v is None or getattr(dump, name) == v for name, v in wanted.items())


def _one_by_one(
    connection: Connection, identity: Identity, filters: Filters, days: int, now: int
) -> Counts:
    first = now // DAY - days + 1
    since = max(filters.since or 0, first * DAY)
    filters = replace(filters, since=since)
    found = find_ids(connection, identity.account_id, filters, 2**62, NEWEST, now)
    facts = select(dumps.c.created_at, dumps.c.version, dumps.c.platform)
    rows = connection.execute(facts.where(dumps.c.id.in_(found.ids))).all()
    counted = [Counter(made // DAY for made, *_ in rows)]
    counted += [Counter(row[place] or "" for row in rows) for place in (1, 2)]
    counts = _counts(counted, days, now)
    is_all = found.stopped_at is None and len(found.ids) < NEWEST
    return counts if is_all else replace(counts, newest=len(found.ids))


def _counts(counted: Sequence[Counter[Any]], days: int, now: int) -> Counts:
    """Return counts of those by day and, if there are any, by version and by platform."""
    by_day, versions, platforms = (*counted, Counter[Any](), Counter[Any]())[:3]
    today = now // DAY
    return Counts(
        days=[(_date(day), by_day[day]) for day in range(today - days + 1, today + 1)],
        versions=[(name, versions[name]) for name in newest_first(+versions)],
        platforms=sorted((+platforms).items(), key=lambda item: (-item[1], item[0])),
    )


def _date(day: int) -> date:
    return date(1970, 1, 1) + timedelta(days=day)
