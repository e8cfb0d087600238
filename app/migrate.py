"""Brings the database's schema up to date, one process at a time."""

import asyncio
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, inspect

from app.config import Settings
from app.database import DatabaseUnavailable
from app.database.sqlite import create_sqlite_engine

if TYPE_CHECKING:
    from alembic.config import Config

_LOCK: Final = 0x484F4C44  # "HOLD": the advisory lock of migrations in PostgreSQL
_SCRIPTS: Final = Path(__file__).parent.parent / "migrations"


async def migrate(settings: Settings) -> None:
    """Run the migrations that the database still lacks; waits while another process does."""
    if settings.uses_postgres:
        await _migrate_postgres(settings.postgres_dsn)
    else:
        await asyncio.to_thread(migrate_sqlite, settings.sqlite_path)


async def _migrate_postgres(dsn: str) -> None:
    from app.database.postgres import create_postgres_engine

    engine = create_postgres_engine(dsn)
    try:
        async with engine.execution_options(isolation_level="READ COMMITTED").begin() as connection:
            await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            await connection.run_sync(upgrade)
    except OSError as error:
        raise DatabaseUnavailable(f"PostgreSQL does not answer: {error}") from error
    finally:
        await engine.dispose()


def migrate_sqlite(path: Path) -> None:
    """Migrate a SQLite file, making it and its folder when they aren't there."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = create_sqlite_engine(path)
    with locked(path.with_name(path.name + ".lock")), engine.connect() as connection:
        # altering a table means to copy and drop it, and a drop would count as a delete
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        upgrade(connection)
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
        if broken:
            connection.exec_driver_sql("ROLLBACK")
            raise RuntimeError(f"the migration would break {len(broken)} references; undone")
        connection.exec_driver_sql("COMMIT")
    engine.dispose()
    path.chmod(0o600)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock that ends with the process."""
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def upgrade(connection: Connection) -> None:
    """Run the missing migrations in the connection's transaction."""
    if current_revision(connection) == newest_revision():
        return  # so that a usual start need not import Alembic, which takes 13 MiB
    from alembic import command

    command.upgrade(alembic_config(connection), "head")


def newest_revision() -> str:
    """Return the revision of the last migration there is; files begin with theirs."""
    return max(path.name for path in _SCRIPTS.glob("versions/[0-9]*.py")).partition("_")[0]


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
