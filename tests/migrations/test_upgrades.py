"""Upgrades of what runs: releases side by side, waiting, and indexes beside writers."""

import ast
import asyncio
import fcntl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg
import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Connection, text, update
from structlog.testing import capture_logs

import migrations
from app.config import Settings
from app.database import Database, DatabaseUnavailable
from app.database import migrate as migrating
from app.database.compatibility import schema_compatibility
from app.database.migrate import current_revision, migrate, newest_revision
from app.database.postgres.connections import create_postgres_engine
from app.parts import open_database
from migrations.indexes import create_index
from tests import servers
from tests.deadline import DEADLINE
from tests.migrations import migrated

pytestmark = pytest.mark.anyio

VERSIONS = sorted(Path(migrations.__file__).parent.glob("versions/[0-9]*.py"))
NEW = [path for path in VERSIONS if path.name >= "0017"]
"""Migrations since upgrades are rolled out process by process."""


@pytest.fixture(params=["sqlite", "postgres"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Settings of a database that this version has migrated."""
    return migrated(request, tmp_path)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Database]:
    database = open_database(settings)
    try:
        yield database
    finally:
        await database.aclose()


async def set_schema(settings: Settings, revision: str, usable_from: str) -> None:
    """Have the schema be what a newer version has made."""

    def write(connection: Connection) -> None:
        connection.execute(
            text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision}
        )
        connection.execute(update(schema_compatibility).values(usable_from=usable_from))

    async with opened(settings) as database:
        await database.write(write)


async def test_the_release_before_runs_on_what_a_newer_one_has_migrated(settings: Settings) -> None:
    await set_schema(settings, "9998", newest_revision())
    with capture_logs() as lines:
        await migrate(settings)
    assert [line["revision"] for line in lines] == ["9998"]
    async with opened(settings) as database:
        assert await database.read(current_revision) == "9998"


async def test_and_an_older_one_is_refused(settings: Settings) -> None:
    await set_schema(settings, "9998", "9997")
    with pytest.raises(DatabaseUnavailable, match="newer version"):
        await migrate(settings)


@asynccontextmanager
async def held(settings: Settings) -> AsyncIterator[None]:
    """Hold the lock of migrations, as another process does."""
    if settings.uses_postgres:
        connection = await asyncpg.connect(settings.postgres_dsn)
        await connection.execute(f"SELECT pg_advisory_lock({migrating._LOCK})")
        yield
        await connection.close()
    else:
        path = settings.sqlite_path
        with path.with_name(path.name + ".lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not condition():  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)


async def test_waiting_for_another_process_is_told_and_can_be_given_up(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrating, "_WORD_SECONDS", 0.2)
    with capture_logs() as lines:
        async with held(settings):
            given_up, waiting = (asyncio.create_task(migrate(settings)) for _ in range(2))
            await until(lambda: len(lines) >= 4)
            assert not waiting.done()
            given_up.cancel()
            with suppress(asyncio.CancelledError):
                await given_up
            assert given_up.cancelled()
        await asyncio.wait_for(waiting, DEADLINE)
    assert {line["event"] for line in lines} == {"another process migrates the database"}


async def test_the_servers_time_limits_are_not_for_migrations(
    postgres_server: servers.PostgresServer,
) -> None:
    dsn = postgres_server.create_database()
    name = dsn.rpartition("/")[2]
    for setting in ("statement_timeout", "lock_timeout"):
        postgres_server.execute(f"ALTER DATABASE {name} SET {setting} = '1h'")
        async with migrating._locked_postgres(dsn) as connection:
            assert (await connection.exec_driver_sql(f"SHOW {setting}")).scalar() == "0"


async def test_an_index_is_built_while_others_write(
    postgres_server: servers.PostgresServer,
) -> None:
    dsn = postgres_server.create_database()
    writer, other = [await asyncpg.connect(dsn) for _ in range(2)]
    await other.execute("CREATE TABLE things (id integer)")
    # what a build that was broken off leaves
    await other.execute("CREATE INDEX ix_things_id ON things (id)")
    await other.execute(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_things_id'::regclass"
    )
    engine = create_postgres_engine(dsn).execution_options(isolation_level="READ COMMITTED")
    async with engine.connect() as connection:
        transaction = writer.transaction()
        await transaction.start()
        await writer.execute("INSERT INTO things VALUES (1)")
        building = asyncio.create_task(connection.run_sync(build))
        waiting = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE query LIKE '% INDEX CONCURRENTLY %' AND wait_event_type = 'Lock'"
        )
        async with asyncio.timeout(DEADLINE):
            while not await other.fetchval(waiting):  # noqa: ASYNC110 - the server knows
                await asyncio.sleep(0.01)
        assert not building.done()
        await other.execute("INSERT INTO things VALUES (2)")  # waits for nobody
        await transaction.commit()
        await asyncio.wait_for(building, DEADLINE)
    valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'ix_things_id'::regclass"
    assert await other.fetchval(valid) is True
    await writer.close()
    await other.close()
    await engine.dispose()


def build(connection: Connection) -> None:
    context = MigrationContext.configure(connection, opts={"transaction_per_migration": True})
    with Operations.context(context), context.begin_transaction(_per_migration=True):
        create_index("ix_things_id", "things", ["id"])


@pytest.mark.parametrize("path", NEW, ids=lambda path: path.stem)
def test_a_migration_says_whether_it_only_adds(path: Path) -> None:
    assigned = {
        target.id
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert "is_expansion" in assigned


def calls(path: Path) -> list[ast.Call]:
    nodes = ast.walk(ast.parse(path.read_text()))
    return [node for node in nodes if isinstance(node, ast.Call)]


def name_of(call: ast.Call) -> str:
    return ast.unparse(call.func)


@pytest.mark.parametrize("path", NEW, ids=lambda path: path.stem)
def test_indexes_on_tables_with_rows_are_built_beside_writers(path: Path) -> None:
    """They are made by `migrations.indexes.create_index`, which has its migration to itself."""
    all_calls = calls(path)
    made = {
        ast.literal_eval(call.args[0]) for call in all_calls if name_of(call) == "op.create_table"
    }
    blocking = [call for call in all_calls if name_of(call) == "op.create_index"]
    assert all(ast.literal_eval(call.args[1]) in made for call in blocking)
    altered = [call for call in all_calls if name_of(call) == "op.batch_alter_table"]
    if any(name_of(call) == "batch_op.create_index" for call in all_calls):
        assert all(ast.literal_eval(call.args[0]) in made for call in altered)
    if any(name_of(call) == "create_index" for call in all_calls):
        assert not [call for call in all_calls if name_of(call).startswith(("op.", "batch_op."))]
