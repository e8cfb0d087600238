"""Copying objects from one store to another: several at a time, each verified on its way."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any

from app.backup.lines import read_records
from app.backup.manifest import DAMAGED, MISSING, Absent, ObjectList, Stored
from app.objects.reading.verified import Damaged, Turns, verified, verify
from storage.base import ObjectStore, in_batches
from storage.errors import ObjectNotFound
from storage.key_set import KeySet


async def for_each(
    objects: AsyncIterator[Sequence[Stored]], work: Callable[[Stored], Awaitable[None]]
) -> None:
    """Do some work for objects, several at a time; after an error, none is under way any more."""
    turns = Turns()

    async def run(item: Stored, turn: asyncio.Semaphore) -> None:
        try:
            await work(item)
        finally:
            turn.release()

    try:
        async with asyncio.TaskGroup() as group:
            async for batch in objects:
                for item in batch:
                    turn = turns.of(item.size)
                    await turn.acquire()
                    group.create_task(run(item, turn))
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


async def named(store: ObjectStore, listed: ObjectList) -> AsyncIterator[list[Stored]]:
    """Yield the objects that a snapshot names, in batches."""
    async for records in read_records(store, listed.stored):
        yield [Stored(**record) for record in records]


def line_of(item: Stored) -> dict[str, Any]:
    """Return an object as `named` reads it."""
    return {"key": item.key, "size": item.size, "sha256": item.sha256}


def entry(key: str, size: int) -> str:
    """Return what stands for an object of a size in a `KeySet`."""
    return f"{key} {size}"


async def listing(store: ObjectStore) -> AsyncIterator[list[str]]:
    """Yield what a store has as entries, in batches."""
    async for infos in in_batches(store.list()):
        yield [entry(info.key, info.size) for info in infos]


class Copy:
    """Copies what isn't there yet, and counts."""

    def __init__(self, source: ObjectStore, destination: ObjectStore) -> None:
        self.copied = 0
        self.bytes = 0
        self.absent: list[Absent] = []
        """What the source doesn't have, or not as it should be."""
        self._source = source
        self._destination = destination

    async def run(
        self,
        objects: AsyncIterator[list[Stored]],
        there: KeySet,
        require: Callable[[], None] = lambda: None,
        on_absent: Callable[[Stored], Awaitable[None]] | None = None,
    ) -> None:
        """Copy ``objects`` that are not in ``there``.

        ``require`` is called before each, and raises what ends the copying; ``on_absent`` when the
        source doesn't have one.
        """

        async def copy(item: Stored) -> None:
            require()
            why = await self._copy(item)
            if why is None:
                self.copied += 1
                self.bytes += item.size
                return
            if on_absent is not None:
                await on_absent(item)
            self.absent.append(Absent(item.key, why))

        await for_each(_lacking(objects, there), copy)

    async def _copy(self, item: Stored) -> str | None:
        """Copy one object; returns why it can't be, if the source is to blame."""
        try:
            async with (
                self._source.open(item.key) as reader,
                aclosing(verified(reader, item.size, bytes.fromhex(item.sha256))) as body,
            ):
                await self._destination.put(item.key, body, size=item.size)
        except ObjectNotFound:
            return MISSING
        except Damaged:
            return DAMAGED
        return None


async def _lacking(
    objects: AsyncIterator[list[Stored]], there: KeySet
) -> AsyncIterator[list[Stored]]:
    async for batch in objects:
        entries = [entry(item.key, item.size) for item in batch]
        lacking = await asyncio.to_thread(there.lacking, entries)
        yield [item for item, e in zip(batch, entries, strict=True) if e in lacking]


async def fault_of(store: ObjectStore, item: Stored) -> str | None:
    """Read an object; returns what is wrong with it, if anything."""
    try:
        await verify(store, item.key, item.size, bytes.fromhex(item.sha256))
    except ObjectNotFound:
        return MISSING
    except Damaged:
        return DAMAGED
    return None
