"""Verifying a target: everything that its snapshots name is read and compared with its SHA-256."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import closing

from app.backup import snapshots
from app.backup.copying import entry, fault_of, for_each, named
from app.backup.errors import BackupError
from app.backup.manifest import Absent, Stored
from storage.base import ObjectStore
from storage.key_set import KeySet


class Verification:
    """One reading of all snapshots, or some; each object is read once."""

    def __init__(self, target: ObjectStore) -> None:
        self.objects = 0
        """Those that were read."""
        self.faults: list[Absent] = []
        self._target = target

    async def run(self, chosen: Sequence[snapshots.Snapshot]) -> None:
        """Read all that these snapshots name, and note what is wrong."""
        with closing(KeySet()) as seen:
            for snapshot in chosen:
                manifest = snapshot.manifest
                await for_each(_once([table.stored for table in manifest.tables]), self._look)
                await self._look(manifest.objects.stored)
                known = {absent.key for absent in manifest.absent}
                try:
                    await for_each(self._unseen(snapshot, seen, known), self._look)
                except BackupError:
                    continue  # its list is damaged, which has been noted

    async def _look(self, item: Stored) -> None:
        self.objects += 1
        if why := await fault_of(self._target, item):
            self.faults.append(Absent(item.key, why))

    async def _unseen(
        self, snapshot: snapshots.Snapshot, seen: KeySet, absent: set[str]
    ) -> AsyncIterator[list[Stored]]:
        async for batch in named(self._target, snapshot.manifest.objects):
            entries = {entry(item.key, item.size): item for item in batch}
            fresh = await asyncio.to_thread(seen.lacking, list(entries))
            await asyncio.to_thread(seen.add, fresh)
            yield [entries[e] for e in fresh if entries[e].key not in absent]


async def _once(items: list[Stored]) -> AsyncIterator[list[Stored]]:
    yield items
