"""Counts of dumps by day, and of the most frequent signatures."""

from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from app import clock
from app.accounts.identity import Identity
from app.dumps.entities import Counts
from app.dumps.tables import dumps

DAY: Final = 24 * 60 * clock.MINUTE
_count: Final = func.count()


def count(
    connection: Connection, identity: Identity, days: int, signatures: int, now: int
) -> Counts:
    """Count the dumps of the last ``days`` days, including today, by indexes alone.

    ``signatures`` is how many of the most frequent ones to return.
    """
    today = now // DAY
    first = today - days + 1
    counted = _of_account(identity, first, now)
    day = dumps.c.created_at // DAY
    by_day = connection.execute(select(day, _count).where(counted).group_by(day))
    found: dict[int, int] = {row[0]: row[1] for row in by_day}
    frequent = (
        select(dumps.c.signature, _count)
        .where(counted, dumps.c.signature.is_not(None))
        .group_by(dumps.c.signature)
        .order_by(_count.desc(), dumps.c.signature)
        .limit(signatures)
    )
    rows = connection.execute(frequent).all()
    return Counts(
        days=[(_date(number), found.get(number, 0)) for number in range(first, today + 1)],
        signatures=[(row[0], row[1]) for row in rows],
    )


def _of_account(identity: Identity, first: int, now: int) -> ColumnElement[Any]:
    return and_(
        dumps.c.account_id == identity.account_id,
        dumps.c.created_at >= first * DAY,
        or_(dumps.c.expires_at.is_(None), dumps.c.expires_at > now),
    )


def _date(day: int) -> date:
    return date(1970, 1, 1) + timedelta(days=day)
