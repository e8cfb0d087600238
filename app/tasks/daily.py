"""Work that is done once a day, by whichever process comes first."""

from abc import abstractmethod
from typing import Final

from sqlalchemy import Connection, or_, select, update

from app import clock
from app.database import Database, insert_if_absent
from app.tasks.supervisor import Task
from app.tasks.tables import daily

DAY: Final = 24 * 3600 * clock.SECOND

_note = insert_if_absent(daily, "name", "next_at")


class Daily(Task):
    """A task whose turns are kept in the database, where they outlive every process."""

    interval = 3600.0

    def __init__(self, database: Database) -> None:
        super().__init__()
        self._database = database

    @abstractmethod
    async def run_today(self, now: int) -> None:
        """Do the day's work; if it fails, this or another process tries again."""

    async def run_once(self, now: int) -> int:
        if await self._database.write(claim, self.name, now):
            try:
                await self.run_today(now)
            except BaseException:
                await self._database.write(give_back, self.name, now)
                raise
        return 0

    async def next_due(self, now: int) -> int | None:
        moment = await self._database.read(next_turn, self.name)
        return now if moment is None else moment


def claim(connection: Connection, name: str, now: int) -> bool:
    """Take the turn of a task if it is due; the next one is a day later."""
    _note(connection, name=name, next_at=now)
    # a turn further ahead was noted by a wrong clock
    due = or_(daily.c.next_at <= now, daily.c.next_at > now + DAY)
    taken = update(daily).where(daily.c.name == name, due).values(next_at=now + DAY)
    return connection.execute(taken).rowcount > 0


def give_back(connection: Connection, name: str, claimed_at: int) -> None:
    """Give back a turn that was taken at ``claimed_at``."""
    held = (daily.c.name == name) & (daily.c.next_at == claimed_at + DAY)
    connection.execute(update(daily).where(held).values(next_at=claimed_at))


def next_turn(connection: Connection, name: str) -> int | None:
    """Return when a task's next turn is; None if there was none yet."""
    moment: int | None = connection.execute(
        select(daily.c.next_at).where(daily.c.name == name)
    ).scalar()
    return moment
