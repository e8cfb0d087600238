"""How many dumps came on each of the last days, and which crashes were the most frequent."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from app import clock
from app.accounts.identity import Identity
from app.dumps.tables import dumps

DAY: Final = 24 * 60 * clock.MINUTE
_count: Final = func.count()


@dataclass(frozen=True, slots=True)
class Counts:
    """Dumps of some days in a row, archived ones too; days are UTC's."""

    days: Sequence[tuple[date, int]]
    """Each day, oldest first, and how many dumps came on it."""
    signatures: Sequence[tuple[str, int]]
    """The most frequent signatures, and how many dumps have each."""

    @property
    def total(self) -> int:
        return sum(count for _, count in self.days)


def count(
    connection: Connection, identity: Identity, days: int, signatures: int, now: int
) -> Counts:
    """Count the dumps of the last ``days`` days, today among them.

    Of signatures only so many are returned. Both are answered by an index alone.
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
