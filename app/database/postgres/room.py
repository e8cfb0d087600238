"""Room for connections: how many PostgreSQL allows, and whether those of all workers fit."""

from typing import Final

from app.config import ConfigError, Settings
from app.database.postgres.errors import translated
from storage.postgres_hosts import Hosts
from storage.postgres_pool import CONNECTIONS

_LEAST: Final = 2
_ALLOWED: Final = """
    SELECT sum(CASE name WHEN 'max_connections' THEN 1 ELSE -1 END * setting::int) FROM pg_settings
    WHERE name IN ('max_connections', 'superuser_reserved_connections', 'reserved_connections')
"""


async def with_pool(settings: Settings, workers: int) -> Settings:
    """Return the settings with a `DATABASE_POOL` that fits; raises `ConfigError` if none does.

    While workers are replaced, there is one more of them.
    """
    allowed = await _allowed(settings.postgres_dsn)
    pools = workers if workers == 1 else workers + 1
    if "database" in {settings.active_storage, settings.previous_storage}:
        pools *= 2
    pool = settings.database_pool or min(CONNECTIONS, max(_LEAST, allowed // pools))
    if pool * pools > allowed:
        raise ConfigError(
            f"DATABASE_POOL: {pools} pools of {pool} connections each are more than the {allowed} "
            f"that PostgreSQL allows (max_connections); WORKERS is {workers}"
        )
    return settings.model_copy(update={"database_pool": pool})


async def _allowed(dsn: str) -> int:
    try:
        connection = await Hosts(dsn).connect()
        try:
            allowed: int = await connection.fetchval(_ALLOWED)
        finally:
            await connection.close()
    except Exception as error:
        if (known := translated(error)) is error:
            raise
        raise known from error
    return allowed
