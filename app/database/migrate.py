"""Brings the database's schema up to date, one process at a time.

A release that is one older runs on what the newer one has migrated, see docs/adr/0012.
"""

import asyncio
import fcntl
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog
from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DBAPIError

from app.config import Settings
from app.database import DatabaseUnavailable, compatibility
from app.database.sqlite.connections import create_sqlite_engine

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

_LOCK: Final = 0x484F4C44  # "HOLD": the advisory lock of migrations in PostgreSQL
_OWN_MISTAKES: Final = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT}  # wrong SQL, wrong rows
_SCRIPTS: Final = Path(__file__).parents[2] / "migrations"
_LOOK_SECONDS: Final = 0.1
_WORD_SECONDS: Final = 10

log = structlog.get_logger(__name__)


async def migrate(settings: Settings) -> None:
    """Run the migrations that the database lacks; wait while another process runs them.

    Raises `DatabaseUnavailable` when the database, its file or its disk does not allow that.
    """
    if settings.uses_postgres:
        async with _locked_postgres(settings.postgres_dsn) as connection:
            await connection.run_sync(upgrade, step_by_step=True)
    else:
        path = settings.sqlite_path
        try:
            async with _locked_file(path):
                await asyncio.to_thread(migrate_sqlite, path)
        except OSError as error:
            raise DatabaseUnavailable(f"{path}: {error.strerror}") from error


@asynccontextmanager
async def _locked_postgres(dsn: str) -> AsyncIterator["AsyncConnection"]:
    """Hold an exclusive lock, on a connection of its own, while the context lasts.

    The lock is the session's: each migration is a transaction, and some are none.
    """
    from app.database.postgres.connections import create_postgres_engine
    from app.database.postgres.errors import translated

    engine = create_postgres_engine(dsn)
    try:
        async with aclosing(await _connect(engine)) as connection:
            # asked again and again: building an index waits for statements that wait for it
            for wait in _waits():
                found = await connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({_LOCK})")
                await connection.commit()
                if found.scalar_one():
                    break
                await asyncio.sleep(wait)
            yield connection
    except Exception as error:
        if (known := translated(error)) is error:
            raise
        raise known from error
    finally:
        await engine.dispose()


async def _connect(engine: "AsyncEngine") -> "AsyncConnection":
    try:
        connection = await engine.execution_options(isolation_level="READ COMMITTED").connect()
    except DBAPIError as error:  # a wrong password, no such database, too many connections
        raise DatabaseUnavailable(f"PostgreSQL does not serve: {error.orig}") from error
    # a migration takes as long as it takes, whatever the server's settings are for others
    for setting in ("statement_timeout", "lock_timeout"):
        await connection.exec_driver_sql(f"SET {setting} = 0")
    await connection.commit()
    return connection


@asynccontextmanager
async def alone(settings: Settings) -> AsyncIterator[None]:
    """Let one process at a time prepare what belongs to this database."""
    if settings.uses_postgres:
        async with _locked_postgres(settings.postgres_dsn):
            yield
    else:
        async with _locked_file(settings.sqlite_path):
            yield


@asynccontextmanager
async def _locked_file(path: Path) -> AsyncIterator[None]:
    """Hold an exclusive lock beside a file, whose folder is made; it ends with the process."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.with_name(path.name + ".lock").open("a") as file:
        for wait in _waits():
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(wait)
        yield


def _waits() -> Iterator[float]:
    """Yield the seconds to wait before each next try; the log says now and then what for."""
    began = said = time.monotonic()
    while True:
        yield _LOOK_SECONDS
        now = time.monotonic()
        if now - said >= _WORD_SECONDS:
            said = now
            log.warning("another process migrates the database", seconds=round(now - began))


def migrate_sqlite(path: Path) -> None:
    """Migrate a SQLite file, which is made if needed; nobody else may do so meanwhile.

    Raises `DatabaseUnavailable` when the file does not allow that.
    """
    try:
        _migrate_sqlite(path)
    except DBAPIError as error:
        if getattr(error.orig, "sqlite_errorcode", None) in _OWN_MISTAKES:
            raise
        raise DatabaseUnavailable(f"{path}: {error.orig}") from error


def _migrate_sqlite(path: Path) -> None:
    engine = create_sqlite_engine(path)
    with engine.connect() as connection:
        # altering a table means to copy and drop it, and a drop would count as a delete
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        if upgrade(connection):
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
            if broken:
                connection.exec_driver_sql("ROLLBACK")
                raise RuntimeError(f"the migration would break {len(broken)} references; undone")
        connection.exec_driver_sql("COMMIT")
    engine.dispose()
    path.chmod(0o600)


def upgrade(connection: Connection, *, step_by_step: bool = False) -> bool:
    """Run the missing migrations in the caller's transaction; returns whether there were any.

    ``step_by_step`` ends that transaction, and runs each in one of its own.

    Raises `DatabaseUnavailable` when a later version of Holdall has migrated the database so far
    that this one can't work with it.
    """
    is_complete = _is_complete(connection)
    if step_by_step:
        connection.rollback()
    if is_complete:
        return False  # so that a usual start need not import Alembic, which takes 13 MiB
    from alembic import command

    command.upgrade(alembic_config(connection), "head")
    return True


def _is_complete(connection: Connection) -> bool:
    current, newest = current_revision(connection), newest_revision()
    if current is not None and current not in _revisions():
        _check_newer(connection, current, newest)
        return True
    return current == newest


def _check_newer(connection: Connection, current: str, newest: str) -> None:
    oldest = compatibility.usable_from(connection)
    if oldest is None or newest < oldest:
        raise DatabaseUnavailable(
            f"it is of a newer version of Holdall (at revision {current}; this version knows up to "
            f"{newest}): run that version, or restore a backup of this one"
        )
    log.warning("a newer version has migrated the database", revision=current, known=newest)


def newest_revision() -> str:
    """Return the revision of the newest migration."""
    return max(_revisions())


def is_known(revision: str) -> bool:
    """Tell whether this version of Holdall has a revision."""
    return revision in _revisions()


def _revisions() -> set[str]:
    """Return all revisions, from the names of the migrations' files."""
    return {path.name.partition("_")[0] for path in _SCRIPTS.glob("versions/[0-9]*.py")}


def current_revision(connection: Connection) -> str | None:
    """Return the revision that the database is at; None before the first."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.exec_driver_sql(
        "SELECT version_num FROM alembic_version"
    ).scalar()
    return found


def alembic_config(connection: Connection) -> "Config":
    """Point Alembic to our scripts and to an open connection."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
