"""Restoring a snapshot into an empty installation: its objects first, then all rows at once.

Until the rows are committed, the installation is as empty as before but for objects that the
snapshot names, so that an interrupted restore is simply run again.
"""

import asyncio
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

from sqlalchemy import Table

from app.backup import keys
from app.backup.copying import Copy, entry, listing, named
from app.backup.errors import BackupError
from app.backup.lines import read_records
from app.backup.manifest import Absent, Manifest, TableRows
from app.backup.rows import values_of
from app.config import Settings
from app.database import filling
from app.database.migrate import is_known, newest_revision, upgrade
from app.database.transactions import Transaction, snapshot
from app.database.transactions import filling as filled
from storage.base import ObjectStore
from storage.key_set import KeySet

_NOT_EMPTY = "restore fills an installation that was never started, or only migrated"


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore has brought back."""

    copied: int
    bytes: int
    absent: Sequence[Absent]
    """Objects that the source doesn't have as they were; those of the manifest not included."""
    notes: Sequence[str]
    """What ends with another signing key."""


def require_known(manifest: Manifest) -> None:
    """Raise `BackupError` for a snapshot of a newer version."""
    if not is_known(manifest.revision):
        raise BackupError(
            f"the snapshot is of a newer version of Holdall ({manifest.version}, at revision "
            f"{manifest.revision}; this one knows up to {newest_revision()}): use that version"
        )


async def restore(
    settings: Settings, source: ObjectStore, store: ObjectStore, manifest: Manifest
) -> Restored:
    """Bring a snapshot back into the database of the settings, which is migrated, and a store.

    Raises `BackupError` when they are not empty, and the errors of database and stores.
    """
    require_known(manifest)
    async with snapshot(settings) as transaction:
        await _require_no_rows(transaction)
    copy = await _restore_objects(source, store, manifest)
    notes = keys.bring_back(settings, manifest)
    await _restore_rows(settings, source, manifest)
    return Restored(copy.copied, copy.bytes, copy.absent, notes)


async def _require_no_rows(transaction: Transaction) -> None:
    if not await transaction.run(filling.is_empty):
        raise BackupError(f"the database is not empty: {_NOT_EMPTY}")


async def _restore_objects(source: ObjectStore, store: ObjectStore, manifest: Manifest) -> Copy:
    copy = Copy(source, store)
    with closing(KeySet()) as wanted, closing(KeySet()) as there:
        async for batch in named(source, manifest.objects):
            await asyncio.to_thread(wanted.add, [entry(item.key, item.size) for item in batch])
        async for entries in listing(store):
            if strange := await asyncio.to_thread(wanted.lacking, entries):
                raise BackupError(
                    f"the store is not empty, {min(strange).partition(' ')[0]} is in it: "
                    f"{_NOT_EMPTY}"
                )
            await asyncio.to_thread(there.add, entries)
        await store.delete([info.key async for info in store.unfinished()])
        known = {absent.key for absent in manifest.absent}
        await copy.run(named(source, manifest.objects), there)
        copy.absent = [absent for absent in copy.absent if absent.key not in known]
    return copy


async def _restore_rows(settings: Settings, source: ObjectStore, manifest: Manifest) -> None:
    """Insert all rows under the schema of their release, and migrate them, in one transaction."""
    async with filled(settings) as transaction:
        await _require_no_rows(transaction)
        await transaction.run(filling.begin_at, manifest.revision)
        names = [table.name for table in manifest.tables]
        tables = await transaction.run(filling.tables_of, names)
        for table in manifest.tables:
            if table.name not in tables:
                raise BackupError(f"revision {manifest.revision} has no table {table.name}")
            await _restore_table(transaction, source, tables[table.name], table)
        await transaction.run(upgrade)
        for table in manifest.tables:
            await transaction.run(filling.number_after, table.name, table.last_id or 0)


async def _restore_table(
    transaction: Transaction, source: ObjectStore, table: Table, saved: TableRows
) -> None:
    count = 0
    async for records in read_records(source, saved.stored):
        rows = await asyncio.to_thread(values_of, table, records)
        await transaction.run(filling.insert_rows, table, rows)
        count += len(rows)
    if count != saved.rows:
        raise BackupError(f"the snapshot has {count} of {saved.rows} rows of {table.name}")
