"""Notes once a day how much the service keeps."""

from app.tasks.daily import Daily
from app.trends import rows


class NoteUse(Daily):
    """Notes a day's use; a day on which no process ran has none."""

    name = "note_use"

    async def run_today(self, now: int) -> None:
        await self._database.write(rows.note_use, now)
