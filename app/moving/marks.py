"""Marks of two stores between which objects move.

A store with the marks of `MARKS` holds all objects of its database. While they move, neither store
has these: both have `PART_MARKS`, so that no process that knows of one of them alone takes it for
the whole. At the end the new store is marked as the whole one.
"""

from app.config import Settings
from app.database import Database, generations
from app.database.instance import (
    MARKS,
    PART_MARKS,
    instance_id,
    put_marks,
    unmarked,
)
from app.database.migrate import alone
from app.moving import rows
from storage.base import ObjectStore
from storage.moving import MovingStore


async def begin(
    settings: Settings, database: Database, new: ObjectStore, previous: ObjectStore, own: str
) -> None:
    """Mark both stores as parts, the previous one last, which was the whole until then."""
    async with alone(settings):
        was_whole = len(await unmarked(previous, MARKS, own)) < len(MARKS)
        for store in (new, previous):
            await put_marks(store, PART_MARKS, own)
        if was_whole:
            await database.write(rows.forget)
            for store in (new, previous):
                await store.delete(MARKS)


async def finish(settings: Settings, database: Database, store: MovingStore) -> bool:
    """Mark the new store as the whole one; returns whether it wasn't yet."""
    own = await database.read(instance_id)
    if not await unmarked(store.new, MARKS, own):
        return False
    await generations.raise_generation(database, store)  # so that the new one has it, too
    async with alone(settings):
        await put_marks(store.new, MARKS, own)
    return True
