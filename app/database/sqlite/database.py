"""SQLite: one writer thread that commits many requests at once, reader threads beside it."""

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Final

from sqlalchemy import Connection, Engine

from app import metrics
from app.database.base import Database, DatabaseUnavailable, P, Query, T
from app.database.jobs import Job, fail, in_time
from app.database.patience import Wait
from app.database.reserve import HAS_STORAGE
from app.database.sqlite import groups
from app.database.sqlite.connections import create_sqlite_engine, raw_of
from app.database.sqlite.errors import translated
from app.database.sqlite.turns import WriterTurns
from storage.disk import Disk

GROUP = 128  # writes that may share a commit
SHARED = 16  # reads that may share a snapshot
READERS = max(2, min(8, os.cpu_count() or 2))
_PLENTY: Final = 1024 * 1024 * 1024  # bytes; with as much, nobody counts pages
_WRITER_WAIT: Final = metrics.database_wait.labels("writer")
_READERS_WAIT: Final = metrics.database_wait.labels("readers")


class SqliteDatabase(Database):
    """A database in one file. Several processes may share it; their writers take turns."""

    def __init__(self, path: Path, *, reserve: int | None = 0) -> None:
        """``reserve`` is how much of the disk `require_storage` keeps free, see `Disk`."""
        super().__init__()
        self._path = path
        self._disk = Disk(path.parent, reserve)
        self._engine = create_sqlite_engine(path)
        self._turns = WriterTurns(path.with_name(path.name + ".turn"))
        self._writes: _Queue = SimpleQueue()
        self._reads: _Queue = SimpleQueue()
        self._threads = [threading.Thread(target=self._write_loop, name="sqlite-writer")]
        self._threads += [
            threading.Thread(target=self._read_loop, name=f"sqlite-reader-{n}")
            for n in range(READERS)
        ]
        self._closed = False
        for thread in self._threads:
            thread.start()

    async def read(self, fn: Query[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._submit(self._reads, lambda c: fn(c, *args, **kwargs))

    async def read_long(self, fn: Query[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._submit(self._reads, lambda c: fn(c, *args, **kwargs), alone=True)

    async def write_in_turn(
        self,
        turn: str | None,  # noqa: ARG002 - one writer serves all in turn
        fn: Query[P, T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        return await self._submit(self._writes, lambda c: fn(c, *args, **kwargs))

    async def _submit(
        self, queue: "_Queue", run: Callable[[Connection], T], *, alone: bool = False
    ) -> T:
        if self._closed:
            raise DatabaseUnavailable("the database is closed")
        with Wait() as wait:
            job = Job(run, wait.until, alone=alone)
            queue.put(job)
            result: T = await job.answered()
            return result

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._writes.put(_END)
        for _ in range(READERS):
            self._reads.put(_END)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        self._turns.close()
        self._engine.dispose()

    def _write_loop(self) -> None:
        with closing(_Opened(self._engine, self._prepare_writer)) as opened:
            for group in _groups(self._writes, GROUP, self._turns.take):
                begun = time.monotonic()
                opened.run(groups.commit, group)
                self._answer(group, partial(_count_writes, group, begun))

    def _prepare_writer(self, connection: Connection) -> None:
        connection.info[HAS_STORAGE] = partial(
            _has_storage, self._disk, self._path, raw_of(connection)
        )

    def _read_loop(self) -> None:
        with closing(_Opened(self._engine)) as opened:
            for group in _groups(self._reads, SHARED):
                begun = time.monotonic()
                opened.run(groups.read, group)
                self._answer(group, partial(_count_waits, group, begun, _READERS_WAIT))

    def _answer(self, group: list[Job], count: Callable[[], None]) -> None:
        """Answer a group, and count it, both on its loop."""

        def answer_all() -> None:
            for job in group:
                job.answer(translated, self.on_notice)
            count()

        with suppress(RuntimeError):  # the loop has been closed: nobody waits any more
            group[0].loop.call_soon_threadsafe(answer_all)


class _Opened:
    """A thread's connection, opened when it is first needed, and again after a failure."""

    def __init__(
        self, engine: Engine, prepare: Callable[[Connection], None] = lambda _: None
    ) -> None:
        self._engine = engine
        self._prepare = prepare
        self._connection: Connection | None = None

    def run(self, work: Callable[[Connection, list[Job]], None], group: list[Job]) -> None:
        """Do work for a group of jobs; if it can't be done, its error is theirs."""
        try:
            if self._connection is None:
                self._connection = self._engine.connect()
                self._prepare(self._connection)
            if waiting := in_time(group):
                work(self._connection, waiting)
        except Exception as error:  # noqa: BLE001 - a thread that ended would leave all waiting
            fail(group, error)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()


class _End:
    """The item that ends one of the threads of a queue."""


_END: Final = _End()
_Queue = SimpleQueue[Job | _End]


def _groups(
    queue: _Queue, most: int, turn: Callable[[], AbstractContextManager[None]] = nullcontext
) -> Iterator[list[Job]]:
    """Yield waiting jobs in groups, each with those that came until its turn; up to the end."""
    first = queue.get()
    while isinstance(first, Job):
        with turn():
            group, following = [first], None
            while following is None and not first.alone and len(group) < most:
                try:
                    taken = queue.get_nowait()
                except Empty:
                    break
                if isinstance(taken, _End) or taken.alone:
                    following = taken  # it is this thread's now, so it comes next
                else:
                    group.append(taken)
            yield group
        first = following or queue.get()


def _has_storage(disk: Disk, path: Path, raw: sqlite3.Connection) -> bool:
    """Tell whether more than the reserve is free on the disk, or in the file itself."""
    free = disk.free()
    if free >= _PLENTY:
        return True
    size, pages, unused = (
        raw.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_size", "page_count", "freelist_count")
    )
    # pages that a checkpoint will add to the file; until then they are in the log too, or will be
    grown = max(0, pages * size - path.stat().st_size)
    return bool(free + unused * size > 2 * grown)


def _count_writes(group: list[Job], begun: float) -> None:
    metrics.commit_writes.observe(len(group))
    _count_waits(group, begun, _WRITER_WAIT)


def _count_waits(group: list[Job], begun: float, waits: metrics.Distribution) -> None:
    for job in group:
        waits.observe(begun - job.asked)
