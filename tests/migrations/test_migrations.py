"""Migrations lead to what the models say, on both databases, and run once however many try."""

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

import migrations
from app.config import Settings
from app.database import Database, DatabaseUnavailable
from app.database.migrate import current_revision, migrate, migrate_sqlite, newest_revision
from app.parts import open_database
from migrations.comparison import include_object
from migrations.models import metadata
from tests import servers, sharing
from tests.deadline import DEADLINE
from tests.migrations import migrated

pytestmark = pytest.mark.anyio

MIGRATIONS = Path(migrations.__file__).parent


@pytest.fixture(params=["sqlite", "postgres"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings that name a database which has been migrated from nothing."""
    return migrated(request, tmp_path)


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    opened = open_database(settings)
    yield opened
    await opened.aclose()


def differences(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(
        connection, opts={"compare_type": True, "include_object": include_object}
    )
    return list(compare_metadata(context, metadata))


async def test_migrations_lead_to_the_models(database: Database) -> None:
    assert await database.read(differences) == []


@cache
def known_tables() -> set[str]:
    """Ask a process of its own: here, other tests have imported what it might lack."""
    program = "from migrations.models import metadata; print(*metadata.tables)"
    known = subprocess.run(
        [sys.executable, "-c", program], cwd=MIGRATIONS.parent, capture_output=True, check=True
    )
    return set(known.stdout.decode().split())


async def test_the_command_that_writes_migrations_knows_of_every_table(database: Database) -> None:
    there = await database.read(lambda connection: inspect(connection).get_table_names())
    wanted = {name for name in there if not name.startswith(("alembic", "schema", "dumps_search"))}
    assert known_tables() == wanted


async def test_migrating_again_changes_nothing(settings: Settings, database: Database) -> None:
    await migrate(settings)
    assert await database.read(current_revision) == newest_revision()


async def test_a_server_that_takes_no_writes_is_no_database_to_migrate(
    postgres_server: servers.PostgresServer,
) -> None:
    dsn = postgres_server.create_database()
    name = dsn.rpartition("/")[2]
    postgres_server.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    values: dict[str, Any] = {"database_url": dsn, "signing_key": "k" * 32}
    with pytest.raises(DatabaseUnavailable, match="read-only transaction"):
        await migrate(Settings(_env_file=None, **values))


def test_the_lineage_is_one_line_and_files_are_named_by_it() -> None:
    """Two changes that were made at once may both have taken the next number."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    scripts = list(ScriptDirectory.from_config(config).walk_revisions())[::-1]
    numbers = [f"{number:04}" for number in range(1, len(scripts) + 1)]
    assert [script.revision for script in scripts] == numbers
    assert [script.down_revision for script in scripts] == [None, *numbers[:-1]]
    files = sorted(path.name for path in MIGRATIONS.glob("versions/*.py"))
    assert [file.partition("_")[0] for file in files] == numbers
    assert newest_revision() == numbers[-1]


def test_processes_that_start_together_migrate_once(tmp_path: Path) -> None:
    settings = {"DATA_DIR": str(tmp_path / "folder")}
    outputs = [tmp_path / f"process{number}" for number in range(4)]
    started = [sharing.nursery().fork(settings, output, "migrate") for output in outputs]
    assert [process.wait(DEADLINE) for process in started] == [0] * 4
    path = tmp_path / "folder" / "holdall.db"
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT version_num FROM alembic_version").fetchall()
    connection.close()
    assert rows == [(newest_revision(),)]
    modes = {file.name: file.stat().st_mode & 0o077 for file in (path, path.parent)}
    assert modes == {"holdall.db": 0, "folder": 0}, "they are their owner's alone"


def test_a_migration_that_breaks_references_is_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(shutil.copy(sharing.data_folder() / "holdall.db", tmp_path))
    with sqlite3.connect(path) as connection:
        connection.execute("INSERT INTO object_bytes (object_id, data) VALUES (7, x'00')")
        connection.execute("UPDATE alembic_version SET version_num = '0000'")
    connection.close()
    monkeypatch.setattr("app.database.migrate.upgrade", drop_blobs)
    with pytest.raises(RuntimeError, match="1 references"):
        migrate_sqlite(path)
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM blobs").fetchone() == (0,)
    connection.close()


def drop_blobs(connection: Connection) -> bool:
    """A migration gone wrong: it leaves bytes without their object."""
    connection.exec_driver_sql("DROP TABLE blobs")
    return True
