"""Expiry: removes what has expired. Readers filter by time, so being late is harmless."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Table, delete, func, select

from app import clock
from app.accounts import quota
from app.database import Database
from app.tasks.supervisor import Task

RemoveAll = Callable[[Connection, int, Mapping[int, Any], int], None]
"""Removes rows of a locked account, given by their ids with those of their objects, at a moment.

None instead of an object: the row owns none.
"""

BATCH: Final = 100  # takes a few milliseconds, for which others wait


@dataclass(frozen=True, slots=True)
class Expiring:
    """The expiry of one kind of things.

    ``remove(connection, now, batch)`` removes up to ``batch`` of those that have expired, and
    returns how many; ``next_due(connection)`` returns when the next one expires, if any.
    """

    remove: Callable[[Connection, int, int], int]
    next_due: Callable[[Connection], int | None]


def rows_of(table: Table) -> Expiring:
    """Return the expiry of rows that own nothing, by their ``expires_at``."""

    def remove(connection: Connection, now: int, batch: int) -> int:
        due = (
            select(table.c.id)
            .where(table.c.expires_at <= now)
            .order_by(table.c.expires_at)
            .limit(batch)
            .with_for_update(skip_locked=True)
        )
        return connection.execute(delete(table).where(table.c.id.in_(due))).rowcount

    return Expiring(remove, next_of(table))


def things_of(table: Table, remove_all: RemoveAll) -> Expiring:
    """Return the expiry of rows that own objects, of one account at a time."""

    def remove(connection: Connection, now: int, batch: int) -> int:
        expired = table.c.expires_at <= now
        account = connection.execute(
            select(table.c.account_id).where(expired).order_by(table.c.expires_at).limit(1)
        ).scalar()
        if account is None:
            return 0
        quota.lock_account(connection, account)
        rows = connection.execute(
            select(table.c.id, table.c.object_id)
            .where(expired, table.c.account_id == account)
            .limit(batch)
        ).all()
        remove_all(connection, account, {row.id: row.object_id for row in rows}, now)
        return len(rows)

    return Expiring(remove, next_of(table))


def next_of(table: Table) -> Callable[[Connection], int | None]:
    """Return a function that tells when the next row of a table expires, in microseconds."""

    def next_due(connection: Connection) -> int | None:
        moment: int | None = connection.execute(select(func.min(table.c.expires_at))).scalar()
        return moment

    return next_due


class Expiry(Task):
    """Removes what has expired, and sleeps until something else expires."""

    name = "expiry"

    def __init__(
        self,
        database: Database,
        expiring: Sequence[Expiring],
        *,
        wake_sweep: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        self._database = database
        self._wake_sweep = wake_sweep
        self._expiring = expiring

    def wake_for(self, moment: int) -> None:
        """Run in time for something that expires at ``moment``, in microseconds."""
        if moment < clock.now() + self.interval * clock.SECOND:
            self.wake()

    async def run_once(self, now: int) -> int:
        """Remove a batch of each kind; one that fails doesn't stop the others."""
        removed, errors = 0, []
        for things in self._expiring:
            try:
                removed += await self._database.write(things.remove, now, BATCH)
            except Exception as error:  # noqa: BLE001 - raised below, with those of the others
                errors.append(error)
        if removed:
            self._wake_sweep()
        if errors:
            raise ExceptionGroup("some expired things could not be removed", errors)
        return removed

    async def next_due(self, now: int) -> int | None:
        del now
        moments = [await self._database.read(things.next_due) for things in self._expiring]
        return min((moment for moment in moments if moment is not None), default=None)
