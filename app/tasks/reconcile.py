"""Reconcile: compare store and database both ways. The task only reports; fsck can repair."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

import structlog
from sqlalchemy import Connection, select

from app import clock, metrics
from app.database import Database
from app.instance import MARKERS
from app.models import objects as object_rows
from app.models import tombstones
from app.services import objects
from app.tasks.supervisor import Task
from storage.base import ObjectInfo, ObjectStore, is_key
from storage.errors import ObjectNotFound

_BATCH: Final = 500
_SETTLED: Final = 24 * 3600 * clock.SECOND
"""Age from which an object that no row knows is an orphan, and not somebody's running upload."""

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Report:
    """What a comparison found; keys of the store, but for what it does not recognise."""

    objects: int = 0
    orphans: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not (self.orphans or self.missing or self.damaged or self.foreign)


class Reconcile(Task):
    """Compares once a day, and says in the log and the metrics what is wrong."""

    name = "reconcile"
    interval = 24 * 3600.0

    def __init__(self, database: Database, store: ObjectStore) -> None:
        super().__init__()
        self._database = database
        self._store = store

    async def run_once(self, now: int) -> int:
        report = await compare(self._database, self._store, now, checksums=False)
        for kind in ("orphans", "missing", "damaged", "foreign"):
            found: list[str] = getattr(report, kind)
            metrics.reconcile_findings.labels(kind).set(len(found))
            if found:
                log.error("store and database differ", kind=kind, count=len(found), first=found[0])
        return 0


async def compare(database: Database, store: ObjectStore, now: int, *, checksums: bool) -> Report:
    """Compare what the store holds with what the database says it should; changes nothing."""
    report = Report()
    async for batch in _batches(store.list()):
        keys = [info.key for info in batch if is_key(info.key)]
        known = await database.read(known_keys, keys)
        for info in batch:
            if not is_key(info.key):
                report.foreign.append(info.key)
            elif info.key in known or info.key in MARKERS:
                report.objects += 1
            elif info.modified_at < now - _SETTLED:
                report.orphans.append(info.key)
    after = 0
    while rows := await database.read(ready_objects, after):
        for object_id, key, size, sha256 in rows:
            await _check(database, store, report, (object_id, key, size, sha256), checksums)
            after = object_id
    return report


async def repair(store: ObjectStore, report: Report) -> int:
    """Delete the orphans that a comparison found; returns how many."""
    for start in range(0, len(report.orphans), _BATCH):
        await store.delete(report.orphans[start : start + _BATCH])
    return len(report.orphans)


async def _check(
    database: Database,
    store: ObjectStore,
    report: Report,
    row: tuple[int, str, int, bytes],
    checksums: bool,  # noqa: FBT001 - private
) -> None:
    object_id, key, size, sha256 = row
    try:
        whole = (await store.stat(key)).size == size
        if whole and checksums:
            whole = await _digest(store, key) == sha256
    except ObjectNotFound:
        if await database.read(objects.exists, object_id):
            report.missing.append(key)
        return
    if not whole:
        report.damaged.append(key)


async def _digest(store: ObjectStore, key: str) -> bytes:
    sha256 = hashlib.sha256()
    async with store.open(key) as reader:
        async for chunk in reader:
            await asyncio.to_thread(sha256.update, chunk)
    return sha256.digest()


async def _batches(infos: AsyncIterator[ObjectInfo]) -> AsyncIterator[list[ObjectInfo]]:
    batch: list[ObjectInfo] = []
    async for info in infos:
        batch.append(info)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def known_keys(connection: Connection, keys: list[str]) -> set[str]:
    """Return those keys that an object or a tombstone names."""
    named = connection.execute(select(object_rows.c.key).where(object_rows.c.key.in_(keys)))
    buried = connection.execute(select(tombstones.c.key).where(tombstones.c.key.in_(keys)))
    return {row.key for row in named} | {row.key for row in buried}


def ready_objects(connection: Connection, after: int) -> list[tuple[int, str, int, bytes]]:
    """Return a batch of the ready objects that are in the store, in the order of their ids."""
    rows = connection.execute(
        select(object_rows.c.id, object_rows.c.key, object_rows.c.size, object_rows.c.sha256)
        .where(
            object_rows.c.id > after,
            object_rows.c.key.is_not(None),
            object_rows.c.state == "ready",
        )
        .order_by(object_rows.c.id)
        .limit(_BATCH)
    )
    return [(row.id, row.key, row.size, bytes(row.sha256)) for row in rows]
