"""Expiry: remove what has expired. Readers filter by time, so being late does no harm but cost."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, Table, delete, func, select

from app import clock
from app.accounts.tables import api_keys, sessions
from app.buffer import rows as buffer
from app.database import Database
from app.dumps import expiry as dump_ends
from app.files import expiry as file_ends
from app.links import expiry as timelink_ends
from app.links.tables import timelink_leases
from app.tasks.supervisor import Task

BATCH: Final = 100  # what takes a few milliseconds: others wait for the loop, or the writer


@dataclass(frozen=True, slots=True)
class Expiring:
    """A kind of thing that expires.

    ``remove(connection, now, batch)`` removes up to ``batch`` of those whose time has come and
    returns how many; ``next_due(connection)`` returns when the next one's does, if there is any.
    """

    remove: Callable[[Connection, int, int], int]
    next_due: Callable[[Connection], int | None]


def rows_of(table: Table) -> Expiring:
    """Make the kind of rows that own nothing, and go when their ``expires_at`` has come."""

    def remove(connection: Connection, now: int, batch: int) -> int:
        due = (
            select(table.c.id)
            .where(table.c.expires_at <= now)
            .order_by(table.c.expires_at)
            .limit(batch)
            .with_for_update(skip_locked=True)
        )
        return connection.execute(delete(table).where(table.c.id.in_(due))).rowcount

    def next_due(connection: Connection) -> int | None:
        moment: int | None = connection.execute(select(func.min(table.c.expires_at))).scalar()
        return moment

    return Expiring(remove, next_due)


KINDS: Final[tuple[Expiring, ...]] = (
    rows_of(sessions),
    rows_of(api_keys),
    rows_of(timelink_leases),
    Expiring(dump_ends.remove_expired, dump_ends.next_expiry),
    Expiring(file_ends.remove_expired, file_ends.next_expiry),
    Expiring(buffer.remove_expired, buffer.next_expiry),
    Expiring(timelink_ends.remove_ended, timelink_ends.next_removal),
)
"""Everything that expires."""


class Expiry(Task):
    """Removes expired things of every kind, and sleeps until the next is due."""

    name = "expiry"

    def __init__(
        self,
        database: Database,
        kinds: Sequence[Expiring] = KINDS,
        *,
        wake_sweep: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        self._database = database
        self._wake_sweep = wake_sweep
        self._kinds = kinds

    def wake_for(self, moment: int) -> None:
        """Run soon if something expires before the next look would be."""
        if moment < clock.now() + self.interval * clock.SECOND:
            self.wake()

    async def run_once(self, now: int) -> int:
        """Remove a batch of each kind; one that fails doesn't keep the others from going."""
        removed, errors = 0, []
        for kind in self._kinds:
            try:
                removed += await self._database.write(kind.remove, now, BATCH)
            except Exception as error:  # noqa: BLE001 - raised below, with those of the others
                errors.append(error)
        if removed:
            self._wake_sweep()
        if errors:
            raise ExceptionGroup("some expired things could not be removed", errors)
        return removed

    async def next_due(self, now: int) -> int | None:
        del now
        moments = [await self._database.read(kind.next_due) for kind in self._kinds]
        return min((moment for moment in moments if moment is not None), default=None)
