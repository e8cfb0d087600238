"""What remains to be copied: what should be stored, by the rows, but is not in the new store."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

from app.database import Database
from app.moving.rows import Progress
from app.tasks.reconcile import Row, stored_rows
from storage.base import in_batches
from storage.errors import ObjectNotFound
from storage.key_set import KeySet
from storage.moving import MovingStore

_ENOUGH = 100  # objects that are looked at one by one, to see whether any is left


class Remaining:
    """Objects that the new store did not have when it was listed."""

    def __init__(self, database: Database, there: KeySet) -> None:
        self._database = database
        self._there = there

    async def batches(self) -> AsyncIterator[list[Row]]:
        """Yield them, oldest first. Some may have been put there, or deleted, meanwhile."""
        async for rows in stored_rows(self._database.read):
            lacking = await asyncio.to_thread(self._there.lacking, [row.key for row in rows])
            if left := [row for row in rows if row.key in lacking]:
                yield left

    async def count(self) -> Progress:
        """Count them."""
        left = Progress(0, 0)
        async for rows in self.batches():
            left = Progress(left.objects + len(rows), left.bytes + sum(row.size for row in rows))
        return left


@asynccontextmanager
async def remaining(database: Database, store: MovingStore) -> AsyncIterator[Remaining]:
    """List the new store, and find what it lacks."""
    with closing(KeySet()) as there:
        async for batch in in_batches(store.new.list()):
            await asyncio.to_thread(there.add, [info.key for info in batch])
        yield Remaining(database, there)


async def count_left(database: Database, store: MovingStore) -> Progress:
    """Count what only the previous store has; what neither has is not left there."""
    left = Progress(0, 0)
    async with remaining(database, store) as found:
        async for rows in found.batches():
            for row in rows:
                if left.objects >= _ENOUGH or await _has(store, row.key):
                    left = Progress(left.objects + 1, left.bytes + row.size)
    return left


async def _has(store: MovingStore, key: str) -> bool:
    try:
        await store.previous.stat(key)
    except ObjectNotFound:
        return False
    return True
