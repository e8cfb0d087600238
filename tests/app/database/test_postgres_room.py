"""A PostgreSQL that allows no more connections: requests wait for one, and a start looks first."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import Connection

from app.config import ConfigError, Settings
from app.database import DatabaseUnavailable, Patience, patience
from app.database.postgres.database import PostgresDatabase
from app.database.postgres.room import with_pool
from storage.base import new_key
from storage.conformance.bodies import chunked
from storage.postgres import PostgresStore
from tests import servers
from tests.deadline import DEADLINE

pytestmark = pytest.mark.anyio

LIMIT = 2


@pytest.fixture
async def dsn(postgres_server: servers.PostgresServer) -> AsyncIterator[str]:
    """The DSN of a role that may have two connections."""
    role = f"r{secrets.token_hex(8)}"
    postgres_server.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'p' CONNECTION LIMIT {LIMIT}")
    yield f"postgresql://{role}:p@{postgres_server.dsn.rpartition('@')[2]}"
    postgres_server.execute(f"DROP ROLE {role}")


def nap(connection: Connection) -> int:
    return int(connection.exec_driver_sql("SELECT 1 FROM pg_sleep(0.05)").scalar_one())


async def test_requests_wait_for_the_connections_that_their_process_has(dsn: str) -> None:
    database = PostgresDatabase(dsn)
    async with asyncio.timeout(DEADLINE):
        with Patience():
            naps = await asyncio.gather(*(database.read(nap) for _ in range(8)))
        assert naps == [1] * 8
        await database.aclose()


async def test_objects_wait_for_the_connections_that_their_process_has(
    postgres_server: servers.PostgresServer, dsn: str
) -> None:
    database = postgres_server.create_database()
    role = dsn.partition("//")[2].partition(":")[0]
    postgres_server.execute(f'ALTER DATABASE "{database.rpartition("/")[2]}" OWNER TO {role}')
    store = await PostgresStore.connect(f"{dsn.rpartition('/')[0]}/{database.rpartition('/')[2]}")
    keys = [new_key("blobs") for _ in range(16)]
    async with asyncio.timeout(DEADLINE):
        await asyncio.gather(*(store.put(key, chunked(b"x", 1), size=1) for key in keys))
        assert [(await store.stat(key)).size for key in keys] == [1] * len(keys)
    await store.aclose()
    postgres_server.drop_database(database)


async def test_a_process_that_has_none_waits_for_the_others_in_the_time_it_has(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = [await asyncpg.connect(dsn) for _ in range(LIMIT)]
    database = PostgresDatabase(dsn)
    monkeypatch.setattr(patience, "LIMIT", 1.0)
    with Patience(), pytest.raises(DatabaseUnavailable, match="too many connections"):
        await database.read(nap)
    monkeypatch.setattr(patience, "LIMIT", DEADLINE)
    with Patience():
        waiting = asyncio.create_task(database.read(nap))
    done, _ = await asyncio.wait([waiting], timeout=0.2)
    assert not done
    for other in others:
        await other.close()
    async with asyncio.timeout(DEADLINE):
        assert await waiting == 1
        await database.aclose()


@pytest.fixture
def make_settings(
    postgres_server: servers.PostgresServer, tmp_path: Path
) -> Callable[..., Settings]:
    return lambda **options: Settings(
        data_dir=tmp_path, database_url=postgres_server.dsn, signing_key="k" * 32, **options
    )


@pytest.mark.parametrize(
    ("options", "workers", "pool"),
    [
        ({}, 1, 10),
        ({}, 4, 10),
        ({}, 99, 3),  # 400, of which 3 are for superusers, for 100 workers
        ({"active_storage": "database"}, 49, 3),
        ({"previous_storage": "database"}, 49, 3),
        ({"database_pool": 50}, 4, 50),
        ({"database_pool": 397}, 1, 397),
    ],
)
async def test_the_pool_fits_the_server(
    make_settings: Callable[..., Settings], options: dict[str, object], workers: int, pool: int
) -> None:
    assert (await with_pool(make_settings(**options), workers)).database_pool == pool


@pytest.mark.parametrize(
    ("options", "workers"),
    [
        ({"database_pool": 398}, 1),
        ({"database_pool": 100}, 3),
        ({}, 198),
        ({"database_pool": 200, "active_storage": "database"}, 1),
    ],
)
async def test_a_pool_that_does_not_fit_is_named(
    make_settings: Callable[..., Settings], options: dict[str, object], workers: int
) -> None:
    with pytest.raises(ConfigError, match=r"^DATABASE_POOL: .* that PostgreSQL allows"):
        await with_pool(make_settings(**options), workers)
