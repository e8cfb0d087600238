"""Copies objects to the store that takes the place of another: verified, and at a bounded rate."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import aclosing
from dataclasses import replace

import structlog

from app import clock
from app.database import Database
from app.moving.rows import Progress
from app.objects import removal, segments
from app.objects.reading.verified import Damaged, Turns, verified
from app.tasks.reconcile import Row
from storage.base import ObjectReader
from storage.errors import ObjectNotFound, StorageError, StoreFull
from storage.moving import MovingStore

log = structlog.get_logger(__name__)


class _Deleted(Exception):
    """The object has been deleted since it was found."""


class Rate:
    """Bytes a second that may pass; None: as many as can be."""

    def __init__(self, limit: int | None) -> None:
        self._limit = limit
        self._free_at = 0.0

    async def take(self, size: int) -> None:
        """Wait until so many bytes may pass."""
        if self._limit is None:
            return
        now = time.monotonic()
        begins = max(self._free_at, now)
        self._free_at = begins + size / self._limit
        await asyncio.sleep(begins - now)


class Copying:
    """Copies what only the previous store has, several at a time, and counts what is left.

    ``left`` was counted before; what is deleted meanwhile may stay in it. ``cut_off`` are keys of
    which the new store had something unfinished: of a copy that was interrupted, or of an upload.
    """

    def __init__(
        self,
        database: Database,
        store: MovingStore,
        rate: Rate,
        *,
        left: Progress,
        cut_off: Collection[str],
        wake_sweep: Callable[[], None],
    ) -> None:
        self.left = left
        self.failed = Progress(0, 0)
        self._database = database
        self._store = store
        self._rate = rate
        self._cut_off = cut_off
        self._wake_sweep = wake_sweep
        self._turns = Turns()

    async def run(self, rows: Sequence[Row]) -> None:
        """Copy objects. One that can't be is counted; raises the errors of a store that fails."""
        async with asyncio.TaskGroup() as group:
            for row in rows:
                group.create_task(self._take_turn(row))

    async def _take_turn(self, row: Row) -> None:
        async with self._turns.of(row.size):
            try:
                await self._copy(row)
            except StoreFull:
                raise
            except (StorageError, Damaged) as error:
                await self._store.ping()  # does it fail altogether?
                log.warning("an object can't be moved", key=row.key, error=repr(error))
                self.failed = self.failed.with_failure(row.size)
                self.left = replace(self.left, failed=self.failed.failed)
            else:
                self.left = self.left.without(row.size)

    async def _copy(self, row: Row) -> None:
        """Copy one object; of one that has been deleted meanwhile, nothing stays."""
        try:
            # what is not there came by an upload, which a put of the same key could undo
            async with self._store.previous.open(row.key) as reader:
                if row.key in self._cut_off:
                    await self._store.new.delete([row.key])
                async with aclosing(self._body(row, reader)) as body:
                    await self._store.new.put(row.key, body, size=row.size)
        except (ObjectNotFound, _Deleted):
            return  # it is deleted; or the new store has it, or neither, as fsck tells
        except StorageError:
            await self._bury_if_deleted(row.key)  # the put may still take effect
            raise
        await self._bury_if_deleted(row.key)

    async def _body(self, row: Row, reader: ObjectReader) -> AsyncGenerator[bytes]:
        """Read an object; what raises at the end keeps the put from taking effect."""
        async with aclosing(verified(reader, row.size, row.sha256)) as chunks:
            async for chunk in chunks:
                await self._rate.take(len(chunk))
                yield chunk
        if not await self._database.read(segments.is_used, row.key):
            raise _Deleted

    async def _bury_if_deleted(self, key: str) -> None:
        """Have a key deleted again whose row is gone: the sweep may have come before the put.

        If the row goes only now, the sweep comes after the put.
        """
        if not await self._database.read(segments.is_used, key):
            await self._database.write(removal.bury_again, key, clock.now())
            self._wake_sweep()
