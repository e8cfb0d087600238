"""Brings the database's schema up to date, one process at a time."""

import asyncio
import fcntl
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DBAPIError

from app.config import Settings
from app.database import DatabaseUnavailable
from app.database.sqlite import create_sqlite_engine

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

_LOCK: Final = 0x484F4C44  # "HOLD": the advisory lock of migrations in PostgreSQL
_OWN_MISTAKES: Final = {sqlite3.SQLITE_ERROR, sqlite3.SQLITE_CONSTRAINT}  # wrong SQL, wrong rows
_SCRIPTS: Final = Path(__file__).parents[2] / "migrations"


async def migrate(settings: Settings) -> None:
    """Run the migrations that the database lacks; wait while another process runs them."""
    if settings.uses_postgres:
        await _migrate_postgres(settings.postgres_dsn)
    else:
        await asyncio.to_thread(migrate_sqlite, settings.sqlite_path)


async def _migrate_postgres(dsn: str) -> None:
    async with _locked_postgres(dsn) as connection:
        await connection.run_sync(upgrade)


@asynccontextmanager
async def _locked_postgres(dsn: str) -> AsyncIterator["AsyncConnection"]:
    """Hold an exclusive lock, on a connection of its own, while the context lasts."""
    from app.database.postgres_connections import create_postgres_engine
    from app.database.postgres_errors import translated

    engine = create_postgres_engine(dsn)
    try:
        async with aclosing(await _connect(engine)) as connection, connection.begin():
            await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            yield connection
    except Exception as error:
        if (known := translated(error)) is error:
            raise
        raise known from error
    finally:
        await engine.dispose()


async def _connect(engine: "AsyncEngine") -> "AsyncConnection":
    try:
        return await engine.execution_options(isolation_level="READ COMMITTED").connect()
    except DBAPIError as error:  # a wrong password, no such database, too many connections
        raise DatabaseUnavailable(f"PostgreSQL does not serve: {error.orig}") from error


@asynccontextmanager
async def alone(settings: Settings) -> AsyncIterator[None]:
    """Let one process at a time prepare what belongs to this database."""
    if settings.uses_postgres:
        async with _locked_postgres(settings.postgres_dsn):
            yield
    else:
        lock = locked(_lock_of(settings.sqlite_path))
        await asyncio.to_thread(lock.__enter__)
        try:
            yield
        finally:
            lock.__exit__(None, None, None)


def migrate_sqlite(path: Path) -> None:
    """Migrate a SQLite file; it and its folder are made if needed.

    Raises `DatabaseUnavailable` when the file or its disk does not allow that.
    """
    try:
        _migrate_sqlite(path)
    except OSError as error:
        raise DatabaseUnavailable(f"{path}: {error.strerror}") from error
    except DBAPIError as error:
        if getattr(error.orig, "sqlite_errorcode", None) in _OWN_MISTAKES:
            raise
        raise DatabaseUnavailable(f"{path}: {error.orig}") from error


def _migrate_sqlite(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = create_sqlite_engine(path)
    with locked(_lock_of(path)), engine.connect() as connection:
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


def _lock_of(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock that ends with the process."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def upgrade(connection: Connection) -> bool:
    """Run the missing migrations in the connection's transaction; returns whether there were any.

    Raises `DatabaseUnavailable` when a later version of Holdall has migrated the database.
    """
    current = current_revision(connection)
    if current == newest_revision():
        return False  # so that a usual start need not import Alembic, which takes 13 MiB
    if current is not None and current not in _revisions():
        raise DatabaseUnavailable(
            f"it is of a newer version of Holdall (at revision {current}; this version knows up to "
            f"{newest_revision()}): run that version, or restore a backup of this one"
        )
    from alembic import command

    command.upgrade(alembic_config(connection), "head")
    return True


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
