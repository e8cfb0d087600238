"""Restoring: into what is empty, all or nothing, and again after an interruption."""

import json
import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import inspect

from app.backup import keys, lines, restoring, snapshots
from app.backup.errors import BackupError
from app.backup.manifest import MISSING, Absent, Manifest, ObjectList, Stored, TableRows
from app.database.migrate import alembic_config, newest_revision
from app.database.sqlite.connections import create_sqlite_engine
from app.security import signing_key
from storage.base import ObjectStore, new_key
from storage.errors import StoreUnavailable
from tests.api.conftest import _settings
from tests.app.backup.conftest import LARGE, Empty, House

pytestmark = pytest.mark.anyio


def rows_in(empty: Empty, table: str) -> int:
    with closing(sqlite3.connect(empty.settings.sqlite_path)) as database:
        count: int = database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
    return count


async def test_an_installation_that_was_started_is_refused(house: House) -> None:
    made = await house.back_up()
    with pytest.raises(BackupError, match="the database is not empty"):
        await restoring.restore(
            house.service.settings, house.target, house.store, made.snapshot.manifest
        )


async def test_a_store_with_other_objects_is_refused(house: House, empty: Empty) -> None:
    made = await house.back_up()
    strange = new_key("blobs")
    empty.path(strange).parent.mkdir(parents=True)
    empty.path(strange).write_bytes(b"somebody's")
    with pytest.raises(BackupError, match=f"the store is not empty, {strange} is in it"):
        await empty.restore(house, made.snapshot)
    assert empty.path(strange).read_bytes() == b"somebody's"
    assert rows_in(empty, "blobs") == 0


async def test_an_interrupted_restore_is_run_again(house: House, empty: Empty) -> None:
    await house.put("other", LARGE[::-1])
    made = await house.back_up()
    empty.store.fail("put", moment="after")
    with pytest.raises(StoreUnavailable):
        await empty.restore(house, made.snapshot)
    there = len([info async for info in empty.store.list()])
    assert there >= 1
    assert rows_in(empty, "blobs") == 0
    again = await empty.restore(house, made.snapshot)
    assert again.copied == 2 - there
    assert rows_in(empty, "blobs") == 3


async def test_rows_that_are_damaged_bring_back_none(house: House, empty: Empty) -> None:
    """The last table is damaged in its last byte, so that all its rows are there by then."""
    made = await house.back_up()
    table = made.snapshot.manifest.tables[-1]
    path = house.folder / table.stored.key
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(BackupError, match=f"{table.stored.key} is damaged"):
        await empty.restore(house, made.snapshot)
    assert rows_in(empty, "blobs") == rows_in(empty, "accounts") == 0


async def test_a_table_that_lacks_rows_brings_back_none(house: House, empty: Empty) -> None:
    made = await house.back_up()
    manifest = made.snapshot.manifest
    tables = [
        replace(table, rows=table.rows + (table.name == "blobs")) for table in manifest.tables
    ]
    short = replace(made.snapshot, manifest=replace(manifest, tables=tuple(tables)))
    with pytest.raises(BackupError, match="2 of 3 rows of blobs"):
        await empty.restore(house, short)
    assert rows_in(empty, "accounts") == 0


async def test_references_that_lead_nowhere_bring_back_none(house: House, empty: Empty) -> None:
    made = await house.back_up()
    manifest = made.snapshot.manifest
    tables = tuple(table for table in manifest.tables if table.name != "tiers")
    broken = replace(made.snapshot, manifest=replace(manifest, tables=tables))
    with pytest.raises(sqlite3.IntegrityError, match="references lead nowhere"):
        await empty.restore(house, broken)
    assert rows_in(empty, "accounts") == 0


async def test_an_object_that_is_gone_is_told_and_all_else_comes_back(
    house: House, empty: Empty
) -> None:
    await house.put("other", LARGE[::-1])
    made = await house.back_up()
    (gone, *_) = await house.objects()
    (house.folder / gone).unlink()
    restored = await empty.restore(house, made.snapshot)
    assert (restored.copied, restored.absent) == (1, [Absent(gone, MISSING)])
    assert rows_in(empty, "blobs") == 3


async def test_ids_go_on_after_the_highest_that_was_ever_given(house: House, empty: Empty) -> None:
    """Links name what they lead to by its number, which must never come twice."""
    await house.put("last", b"gone when the snapshot is taken")
    await house.delete("last")
    made = await house.back_up()
    await empty.restore(house, made.snapshot)
    with closing(sqlite3.connect(empty.settings.sqlite_path)) as database:
        found = dict(database.execute("SELECT name, seq FROM sqlite_sequence").fetchall())
    assert found["blobs"] == 3
    assert rows_in(empty, "blobs") == 2


def schema_at(path: Path, revision: str) -> dict[str, set[str]]:
    """Return the tables of an older release, each with the names of its columns."""
    with create_sqlite_engine(path).begin() as connection:
        command.upgrade(alembic_config(connection), revision)
        there = inspect(connection)
        return {
            name: {c["name"] for c in there.get_columns(name)} for name in there.get_table_names()
        }


async def with_columns(target: ObjectStore, table: TableRows, columns: set[str]) -> TableRows:
    async def blocks() -> AsyncIterator[bytes]:
        async for records in lines.read_records(target, table.stored):
            yield lines.encode(
                {name: value for name, value in record.items() if name in columns}
                for record in records
            )

    return replace(table, stored=await lines.store_lines(target, snapshots.ROWS, blocks()))


@pytest.mark.parametrize("revision", ["0012", "0014"])
async def test_a_snapshot_of_an_older_release_is_migrated(
    house: House, empty: Empty, tmp_path: Path, revision: str
) -> None:
    """None of its rows needs what came later, so that leaving that out makes it an older one."""
    made = await house.back_up()
    manifest = made.snapshot.manifest
    schema = schema_at(tmp_path / "older.db", revision)
    tables = [
        await with_columns(house.target, table, schema[table.name])
        for table in manifest.tables
        if table.name in schema
    ]
    older = replace(manifest, revision=revision, tables=tuple(tables))
    await empty.restore(house, await snapshots.add(house.target, older))
    assert rows_in(empty, "blobs") == 2
    assert rows_in(empty, "uploads") == 0
    with closing(sqlite3.connect(empty.settings.sqlite_path)) as database:
        (found,) = database.execute("SELECT version_num FROM alembic_version").fetchone()
        assert found == newest_revision()
        # what only one kind of database has, was made anew as well
        database.execute("SELECT count(*) FROM dumps_search").fetchone()


async def test_a_snapshot_of_a_newer_release_is_refused(house: House, empty: Empty) -> None:
    made = await house.back_up()
    newer = replace(made.snapshot.manifest, revision="9999", version="99.0")
    with pytest.raises(BackupError, match=r"newer version of Holdall \(99.0, at revision 9999;"):
        await empty.restore(house, await snapshots.add(house.target, newer))


def test_a_manifest_of_another_format_is_refused() -> None:
    with pytest.raises(BackupError, match="is of format 2, and this version of Holdall reads"):
        Manifest.decode(json.dumps({"format": 2, "sha256": "?"}).encode())


async def test_the_newest_snapshot_is_found_or_one_by_its_id(house: House) -> None:
    with pytest.raises(BackupError, match="there is no snapshot"):
        await snapshots.find(house.target, None)
    first, second = [(await house.back_up()).snapshot for _ in range(2)]
    assert await snapshots.find(house.target, None) == second
    assert await snapshots.find(house.target, first.id) == first
    with pytest.raises(BackupError, match="0 snapshots have an id that begins with 'x'"):
        await snapshots.find(house.target, "x")
    with pytest.raises(BackupError, match="2 snapshots have an id that begins with ''"):
        await snapshots.find(house.target, "")


OWN, OTHER = b"own" * 11, b"other" * 7


@pytest.mark.parametrize(
    ("setting", "file", "along", "said", "kept"),
    [
        (OWN, None, False, "", []),
        (None, OWN, False, "", [OWN]),
        (None, None, False, "are not in the snapshot", []),
        (OTHER, None, False, "are not in the snapshot", []),
        (None, None, True, "are in .*signing.key now", [OWN]),
        (None, OTHER, True, "was left as it is", [OTHER]),
        (OTHER, None, True, "set SIGNING_KEY to the lines of .*signing.key", [OWN]),
        (OTHER, OTHER, True, "was left as it is", [OTHER]),
    ],
)
def test_it_is_told_what_ends_with_another_signing_key(
    tmp_path: Path,
    setting: bytes | None,
    file: bytes | None,
    along: bool,
    said: str,
    kept: list[bytes],
) -> None:
    settings = _settings(
        tmp_path / "new", signing_key=None if setting is None else f"hex:{setting.hex()}"
    )
    if file is not None:
        signing_key.keep(settings, [file])
    manifest = Manifest(
        taken_at="",
        version="",
        revision="",
        instance="",
        tables=(),
        objects=ObjectList(0, 0, Stored("", 0, "")),
        absent=(),
        signing_key_ids=(keys.id_of(OWN),),
        signing_keys=(OWN.hex(),) if along else None,
    )
    lines = keys.bring_back(settings, manifest)
    assert signing_key.kept_keys(settings) == kept
    assert len(lines) == bool(said)
    for line in lines:
        assert re.search(said, line)
        assert OWN.hex() not in line
