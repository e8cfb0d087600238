"""Making a snapshot while the service runs: the rows as of one moment, then what they name."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from sqlalchemy import Table

from app import VERSION, clock
from app.backup import keys, lines, snapshots
from app.backup.copying import Copy, line_of, listing, named
from app.backup.errors import BackupError, LeaseLost
from app.backup.manifest import Manifest, ObjectList, Stored, TableRows
from app.backup.rows import RowsOf, saved_tables
from app.backup.writing import writing
from app.config import Settings
from app.database import Database
from app.database.filling import last_id
from app.database.instance import instance_id
from app.database.migrate import current_revision, newest_revision
from app.database.transactions import Transaction, snapshot
from app.leases import Lease
from app.objects import holds
from app.security.signing_key import signing_keys
from app.tasks.reconcile import known_sizes, stored_rows
from storage.base import ObjectStore
from storage.key_set import KeySet

_MOST_ABSENT: Final = 1000
_LOST: Final = (
    "the hold that keeps the sweep from deleting has ended (was this host asleep, the database "
    "away?): run it again, what has been copied stays"
)


@dataclass(frozen=True, slots=True)
class Made:
    """A snapshot that was made, and what was copied for it."""

    snapshot: snapshots.Snapshot
    copied: int
    bytes: int


async def make(
    settings: Settings,
    database: Database,
    store: ObjectStore,
    target: ObjectStore,
    *,
    with_key: bool,
) -> Made:
    """Make a snapshot of a service in a target; what an earlier one has put there stays.

    Raises `BackupError`, and the errors of database and stores. Until its manifest is there, which
    comes last, there is no snapshot.
    """
    lost = partial(LeaseLost, _LOST)
    async with writing(target, "backup") as right, holds.holding(database, lost=lost) as hold:
        manifest = await _save_rows(settings, target, with_key=with_key)
        copy = await _save_objects(database, store, target, manifest.objects, hold, right)
        await right.confirm()
        added = await snapshots.add(target, replace(manifest, absent=tuple(copy.absent)))
        return Made(added, copy.copied, copy.bytes)


async def _save_rows(settings: Settings, target: ObjectStore, *, with_key: bool) -> Manifest:
    """Read the database as of one moment, and put its rows into the target."""
    async with snapshot(settings) as transaction:
        taken_at = clock.to_datetime(clock.now()).isoformat(timespec="microseconds")
        revision = await transaction.run(current_revision)
        if revision is None or revision != newest_revision():
            raise BackupError(
                f"the database is at revision {revision}, this version of Holdall at "
                f"{newest_revision()}: use the version that the database is of"
            )
        tables = [await _save_table(transaction, target, table) for table in saved_tables()]
        objects = await _save_list(transaction, target)
        own = signing_keys(settings)
        return Manifest(
            taken_at=taken_at,
            version=VERSION,
            revision=revision,
            instance=await transaction.run(instance_id),
            tables=tuple(tables),
            objects=objects,
            absent=(),
            signing_key_ids=tuple(map(keys.id_of, own)),
            signing_keys=tuple(key.hex() for key in own) if with_key else None,
        )


async def _save_table(transaction: Transaction, target: ObjectStore, table: Table) -> TableRows:
    rows = RowsOf(transaction, table)
    async with aclosing(rows.blocks()) as blocks:
        stored = await lines.store_lines(target, snapshots.ROWS, blocks)
    # numbers are given outside transactions: read later, it is no less than any of the rows'
    last = await transaction.run(last_id, table)
    return TableRows(table.name, rows.count, last, stored)


async def _save_list(transaction: Transaction, target: ObjectStore) -> ObjectList:
    """Put a list of what the rows name in the store into the target."""
    count = size = 0

    async def blocks() -> AsyncIterator[bytes]:
        nonlocal count, size
        async for rows in stored_rows(transaction.run):
            count += len(rows)
            size += sum(row.size for row in rows)
            items = (Stored(row.key, row.size, row.sha256.hex()) for row in rows)
            yield lines.encode(map(line_of, items))

    stored = await lines.store_lines(target, snapshots.ROWS, blocks())
    return ObjectList(count, size, stored)


async def _save_objects(
    database: Database,
    store: ObjectStore,
    target: ObjectStore,
    listed: ObjectList,
    hold: Lease,
    right: Lease,
) -> Copy:
    """Copy what the target lacks of the objects that the rows name."""
    copy = Copy(store, target)

    def require() -> None:
        hold.require()
        right.require()

    async def on_absent(item: Stored) -> None:
        await hold.confirm()
        if item.key not in await database.read(known_sizes, [item.key]):
            raise BackupError(
                f"{item.key} was deleted while the backup held it: does an older version of "
                "Holdall run beside this one? Run it again"
            )
        if len(copy.absent) >= _MOST_ABSENT:
            raise BackupError(f"the store lacks more than {_MOST_ABSENT} objects: see holdall fsck")

    with closing(KeySet()) as there:
        async for entries in listing(target):
            await asyncio.to_thread(there.add, entries)
        await copy.run(named(target, listed), there, require, on_absent)
    return copy
