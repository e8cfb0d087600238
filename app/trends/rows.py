"""Trends as rows: a day's use is noted, and days are counted."""

from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Select, func, select
from sqlalchemy.dialects import postgresql, sqlite

from app.dumps.tables import dump_counts
from app.events.entities import EventType
from app.events.tables import events
from app.objects import storage_use
from app.tasks.daily import DAY
from app.trends.entities import Trends
from app.trends.tables import daily_use

RECEIVED: Final = (
    EventType.FILE_RECEIVED,
    EventType.BUNDLE_RECEIVED,
    EventType.PICTURE_ADDED,
)
"""What counts as having come."""


def note_use(connection: Connection, now: int) -> None:
    """Note what the service keeps today; counting that takes a quarter of a second a million."""
    use = storage_use.count(connection, now)
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    new = dialect.insert(daily_use).values(day=now // DAY, objects=use.objects, bytes=use.bytes)
    figures = {name: new.excluded[name] for name in ("objects", "bytes")}
    connection.execute(new.on_conflict_do_update(index_elements=["day"], set_=figures))


def trends(connection: Connection, days: int, now: int) -> Trends:
    """Count the last ``days`` days."""
    today = now // DAY
    first = today - days + 1
    stored = select(daily_use.c.day, daily_use.c.bytes).where(daily_use.c.day >= first)
    day = events.c.created_at // DAY
    received = (
        select(day, func.count())
        .where(events.c.created_at >= first * DAY, events.c.type.in_(RECEIVED))
        .group_by(day)
    )
    crashes = (
        select(dump_counts.c.day, func.sum(dump_counts.c.count))
        .where(dump_counts.c.facet == "day", dump_counts.c.day >= first)
        .group_by(dump_counts.c.day)
    )

    def by_day(query: Select[Any]) -> list[tuple[date, int]]:
        found = {int(number): int(count) for number, count in connection.execute(query)}
        return [(_date(number), found.get(number, 0)) for number in range(first, today + 1)]

    return Trends(by_day(stored), by_day(received), by_day(crashes))


def _date(day: int) -> date:
    return date(1970, 1, 1) + timedelta(days=day)
