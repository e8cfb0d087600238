"""Pruning a target: old snapshots go, and then what no other one names."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import dataclass

from app.backup import snapshots, writing
from app.backup.copying import named
from storage.base import ObjectStore, in_batches
from storage.key_set import KeySet

_OTHERS = (snapshots.KIND, writing.KIND)


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many snapshots went and are left, and how many objects were deleted."""

    removed: int
    left: int
    objects: int


async def prune(target: ObjectStore, keep: int) -> Pruned:
    """Remove all but the ``keep`` newest snapshots, and what only they had.

    Raises `BackupError`, also if a manifest is damaged: what it names isn't known then.
    """
    async with writing.writing(target, "prune") as right:
        found = await snapshots.read_all(target)
        kept, old = found[:keep], found[keep:]
        # manifests first, so that none ever names what is gone
        await target.delete([snapshot.key for snapshot in old])
        with closing(KeySet()) as used:
            for snapshot in kept:
                await _use(target, snapshot, used)
            deleted = 0
            async for unused in _unused(target, used):
                await right.confirm()
                await target.delete(unused)
                deleted += len(unused)
    return Pruned(len(old), len(kept), deleted)


async def _use(target: ObjectStore, snapshot: snapshots.Snapshot, used: KeySet) -> None:
    """Add all that a snapshot names."""
    manifest = snapshot.manifest
    own = [table.stored.key for table in manifest.tables]
    await asyncio.to_thread(used.add, [*own, manifest.objects.stored.key])
    async for batch in named(target, manifest.objects):
        await asyncio.to_thread(used.add, [item.key for item in batch])


async def _unused(target: ObjectStore, used: KeySet) -> AsyncIterator[list[str]]:
    """Yield, in batches, the keys of what no snapshot names; neither manifests nor claims."""
    async for infos in in_batches(target.list()):
        keys = [info.key for info in infos if info.key.partition("/")[0] not in _OTHERS]
        yield sorted(await asyncio.to_thread(used.lacking, keys))
