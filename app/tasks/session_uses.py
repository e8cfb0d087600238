"""The last uses of sessions are written now and then."""

from typing import Final

from app.accounts.logins import session_uses
from app.accounts.logins.session_uses import SessionUses
from app.database import Database
from app.tasks.supervisor import Task

BATCH: Final = 200  # takes a few milliseconds, for which others wait


class WriteSessionUses(Task):
    """Writes the uses that this process has noted."""

    name = "session_uses"
    is_of_process = True
    interval = 60.0

    def __init__(self, database: Database, uses: SessionUses) -> None:
        super().__init__()
        self._database = database
        self._uses = uses

    async def run_once(self, now: int) -> int:
        """Write a batch; returns its size."""
        del now
        taken = sorted(self._uses.take(BATCH).items())  # two processes lock rows in one order
        if taken:
            await self._database.write(session_uses.write, taken)
        return len(taken)
