"""The daily raise of the generation of database and store, see `app.database.generations`."""

from app.database import Database, generations
from app.tasks.daily import Daily
from storage.base import ObjectStore


class RaiseGeneration(Daily):
    """Raises the generation once a day."""

    name = "generation"

    def __init__(self, database: Database, store: ObjectStore) -> None:
        super().__init__(database)
        self._store = store

    async def run_today(self, now: int) -> None:
        del now
        await generations.raise_generation(self._database, self._store)
