"""The PostgreSQL store: the conformance suite, and what only a database can get wrong."""

from collections.abc import Iterator

import asyncpg
import pytest

from storage.base import ObjectStore
from storage.conformance import StoreConformance
from storage.postgres import PostgresStore
from tests.servers import PostgresServer

OBJECTS = """
SELECT key, size, created_at, (
    SELECT string_agg(data, ''::bytea ORDER BY n) FROM holdall_store.chunks AS c WHERE c.key = o.key
) AS data
FROM holdall_store.objects AS o
"""
LEFT_OVER = """
SELECT key FROM holdall_store.chunks EXCEPT SELECT key FROM holdall_store.objects
"""


@pytest.fixture
def dsn(postgres_server: PostgresServer) -> Iterator[str]:
    """A database of this test's own."""
    dsn = postgres_server.create_database()
    yield dsn
    postgres_server.drop_database(dsn)


class TestPostgresStore(StoreConformance):
    @pytest.fixture(autouse=True)
    def _database(self, dsn: str) -> None:
        self.dsn = dsn

    async def connect(self) -> ObjectStore:
        return await PostgresStore.connect(self.dsn)

    async def _fetch(self, sql: str) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.dsn)
        try:
            rows: list[asyncpg.Record] = await connection.fetch(sql)
        finally:
            await connection.close()
        return rows

    async def raw_objects(self) -> dict[str, bytes]:
        rows = await self._fetch(OBJECTS)
        assert all(row["size"] == len(row["data"]) for row in rows)
        return {row["key"]: row["data"] for row in rows}

    async def residue(self) -> list[str]:
        return [f"chunks of {row['key']}" for row in await self._fetch(LEFT_OVER)]

    async def leave_unfinished(self, key: str) -> None:
        connection = await asyncpg.connect(self.dsn)
        try:
            await connection.execute(
                "INSERT INTO holdall_store.chunks VALUES ($1, 0, $2)", key, b"half"
            )
        finally:
            await connection.close()
