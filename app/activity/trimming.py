"""Trimming: the log of events ends where it is too old, or too long; so do deliveries."""

from typing import Final

from app.activity import rows
from app.database import Database
from app.tasks.daily import DAY, Daily

_BATCH: Final = 500


class TrimEvents(Daily):
    """Removes events that are older than ``kept_for`` days, and what an account has too many of.

    Deliveries to webhooks expire by themselves, but may be too many as well.
    """

    name = "trim_events"

    def __init__(self, database: Database, *, kept_for: int) -> None:
        super().__init__(database)
        self._kept_for = kept_for * DAY

    async def run_today(self, now: int) -> None:
        while await self._database.write(rows.remove_old, now - self._kept_for, _BATCH):
            pass
        for table in rows.LOGS:
            for account in await self._database.read_long(rows.overfull, table):
                while await self._database.write(rows.remove_first, table, account, _BATCH):
                    pass
