"""Reconcile: compares store and database both ways. The task reports; fsck can repair."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import structlog
from sqlalchemy import Connection, select, tuple_

from app import clock, metrics
from app.database import Database
from app.database.instance import is_mark
from app.objects import segments
from app.objects.reading.verified import Damaged, verify
from app.objects.tables import object_segments, tombstones
from app.objects.tables import objects as object_rows
from app.tasks.daily import Daily
from storage.base import ObjectInfo, ObjectStore, in_batches, is_key
from storage.errors import ObjectNotFound
from storage.key_set import KeySet

BATCH: Final = 500
_SETTLED: Final = 24 * 3600 * clock.SECOND
"""Age from which an object without a row is an orphan, and not a running upload."""

Kind = Literal["orphans", "unfinished", "missing", "damaged", "foreign"]
KINDS: Final[tuple[Kind, ...]] = ("orphans", "unfinished", "missing", "damaged", "foreign")
"""Objects, and beginnings of objects, without a row; rows whose bytes are missing or wrong."""

log = structlog.get_logger(__name__)


class Finding(NamedTuple):
    """A difference that was found, by its key."""

    kind: Kind
    key: str

    @property
    def is_garbage(self) -> bool:
        """Whether nobody needs it, so that it may be deleted."""
        return self.kind in {"orphans", "unfinished"}

    @property
    def is_harm(self) -> bool:
        """Whether content is missing or damaged."""
        return self.kind in {"missing", "damaged"}


@dataclass(frozen=True, slots=True)
class Row:
    """What should be in the store, as the database has it: a ready object, or a segment."""

    id: int
    """The object's."""
    n: int
    """The segment's."""
    key: str
    size: int
    sha256: bytes


class Reconcile(Daily):
    """Compares once a day, and reports differences in the log and the metrics."""

    name = "reconcile"

    def __init__(self, database: Database, store: ObjectStore) -> None:
        super().__init__(database)
        self._store = store

    async def run_today(self, now: int) -> None:
        found: Counter[Kind] = Counter()
        first: dict[Kind, str] = {}
        async for kind, key in Comparison(self._database, self._store, now).run():
            found[kind] += 1
            first.setdefault(kind, key)
        for kind in KINDS:
            metrics.reconcile_findings.labels(kind).set(found[kind])
            if found[kind]:
                log.error(
                    "store and database differ", kind=kind, count=found[kind], first=first[kind]
                )


class Comparison:
    """One comparison of the store with the database; it changes nothing.

    The store is listed once, in any order, and the list is kept on disk. So memory stays small, and
    only objects that the list lacked are looked up one by one.
    """

    def __init__(
        self, database: Database, store: ObjectStore, now: int, *, checksums: bool = False
    ) -> None:
        self.objects = 0
        """The objects in the store with a row, so far."""
        self._database = database
        self._store = store
        self._settled = now - _SETTLED
        self._checksums = checksums

    async def run(self) -> AsyncIterator[Finding]:
        """Yield differences as they are found."""
        with closing(KeySet()) as sound:
            async for batch in in_batches(self._store.list()):
                for finding in await self._check_listed(batch, sound):
                    yield finding
            async for batch in in_batches(self._store.unfinished()):
                for finding in await self._check_unfinished(batch):
                    yield finding
            async for rows in stored_rows(self._database.read):
                for finding in await self._check_rows(rows, sound):
                    yield finding

    async def _check_listed(self, batch: Sequence[ObjectInfo], sound: KeySet) -> list[Finding]:
        """Find objects that no row has; note those of the right size as sound."""
        found: list[Finding] = []
        known = await self._database.read(known_sizes, [info.key for info in batch])
        for info in batch:
            if info.key in known:
                self.objects += 1
            elif not is_key(info.key):
                found.append(Finding("foreign", info.key))
            elif not is_mark(info.key) and info.modified_at < self._settled:
                found.append(Finding("orphans", info.key))
        whole = [info.key for info in batch if known.get(info.key) == info.size]
        await asyncio.to_thread(sound.add, whole)
        return found

    async def _check_unfinished(self, batch: Sequence[ObjectInfo]) -> list[Finding]:
        old = {info.key for info in batch if info.modified_at < self._settled}
        known = await self._database.read(known_sizes, list(old))
        return [Finding("unfinished", key) for key in old if key not in known and not is_mark(key)]

    async def _check_rows(self, rows: Sequence[Row], sound: KeySet) -> list[Finding]:
        """Check objects that the list did not prove sound; with checksums, all."""
        doubtful = await asyncio.to_thread(sound.lacking, [row.key for row in rows])
        asked = [row for row in rows if self._checksums or row.key in doubtful]
        return [Finding(kind, row.key) for row in asked if (kind := await self._look(row))]

    async def _look(self, row: Row) -> Kind | None:
        """Check an object itself: it may be newer than the list, or gone since its row was read."""
        try:
            if self._checksums:
                await verify(self._store, row.key, row.size, row.sha256)
            elif (await self._store.stat(row.key)).size != row.size:
                return "damaged"
        except Damaged:
            return "damaged"
        except ObjectNotFound:
            known = await self._database.read(known_sizes, [row.key])
            return "missing" if known.get(row.key) is not None else None
        return None


async def repaired(findings: AsyncIterator[Finding], store: ObjectStore) -> AsyncIterator[Finding]:
    """Yield the findings, and delete those that are garbage."""
    garbage: list[str] = []
    async for finding in findings:
        yield finding
        if finding.is_garbage:
            garbage.append(finding.key)
        if len(garbage) == BATCH:
            await store.delete(garbage)
            garbage.clear()
    await store.delete(garbage)


Fetch = Callable[[Connection, Row | None], list[Row]]
"""Returns the batch of rows after one, or the first."""


async def stored_rows(
    read: Callable[[Fetch, Row | None], Awaitable[list[Row]]],
) -> AsyncIterator[list[Row]]:
    """Yield batches of all that should be in the store: ready objects first, then segments.

    ``read`` is a database's, or runs functions in a transaction.
    """
    for fetch in (ready_objects, all_segments):
        last: Row | None = None
        while rows := await read(fetch, last):
            last = rows[-1]
            yield rows


def known_sizes(connection: Connection, keys: list[str]) -> dict[str, int | None]:
    """Return those keys that an object or a tombstone has, with sizes of what should be there."""
    columns = object_rows.c.key, object_rows.c.size, object_rows.c.state
    named = connection.execute(select(*columns).where(object_rows.c.key.in_(keys)))
    buried = connection.execute(select(tombstones.c.key).where(tombstones.c.key.in_(keys)))
    known: dict[str, int | None] = dict.fromkeys(buried.scalars())
    known |= {row.key: row.size if row.state == "ready" else None for row in named}
    return known | segments.known_sizes(connection, keys)


def ready_objects(connection: Connection, last: Row | None) -> list[Row]:
    """Return a batch of the ready objects that should be in the store, by their ids."""
    rows = connection.execute(
        select(object_rows.c.id, object_rows.c.key, object_rows.c.size, object_rows.c.sha256)
        .where(
            object_rows.c.id > (0 if last is None else last.id),
            object_rows.c.key.is_not(None),
            object_rows.c.state == "ready",
        )
        .order_by(object_rows.c.id)
        .limit(BATCH)
    )
    return [Row(row.id, 0, row.key, row.size, bytes(row.sha256)) for row in rows]


def all_segments(connection: Connection, last: Row | None) -> list[Row]:
    """Return a batch of segments, those of unfinished objects too, by objects and order."""
    after = (0, 0) if last is None else (last.id, last.n)
    place = object_segments.c.object_id, object_segments.c.n
    rows = connection.execute(
        select(object_segments).where(tuple_(*place) > after).order_by(*place).limit(BATCH)
    )
    return [Row(row.object_id, row.n, row.key, row.size, bytes(row.sha256)) for row in rows]
