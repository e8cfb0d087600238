"""The PostgreSQL store: the conformance suite, and what only a database can get wrong."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import asyncpg
import pytest

from storage.base import ByteRange, ObjectStore, new_key
from storage.conformance import StoreConformance
from storage.conformance.bodies import chunked, content, read
from storage.conformance.hooks import CHUNK, MIB, fetch, make
from storage.errors import ObjectNotFound, StoreFull, StoreUnavailable
from storage.postgres import PostgresStore
from tests import servers
from tests.deadline import DEADLINE
from tests.proxy import proxy_to
from tests.servers import OwnPostgresServer, PostgresServer
from tests.storage.faults import assert_unavailable, killed_put

pytestmark = pytest.mark.anyio

OBJECTS = """
SELECT key, size, created_at, (
    SELECT string_agg(data, ''::bytea ORDER BY n) FROM holdall_store.chunks AS c WHERE c.key = o.key
) AS data
FROM holdall_store.objects AS o
"""
CLEAR = """
SET client_min_messages = error;
DROP SCHEMA IF EXISTS holdall_store CASCADE;
DROP FUNCTION IF EXISTS full_disk;
"""
OTHER_BACKENDS = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND pid <> ALL ($1::int[])
"""
LEFT_OVER = """
SELECT key FROM holdall_store.chunks EXCEPT SELECT key FROM holdall_store.objects
"""


async def ask(dsn: str, sql: str, *arguments: object) -> list[asyncpg.Record]:
    """Run a statement on a connection of its own."""
    connection = await asyncpg.connect(dsn)
    try:
        rows: list[asyncpg.Record] = await connection.fetch(sql, *arguments)
    finally:
        await connection.close()
    return rows


@pytest.fixture(scope="module")
def database(postgres_server: PostgresServer) -> Iterator[str]:
    dsn = postgres_server.create_database()
    yield dsn
    postgres_server.drop_database(dsn)


@pytest.fixture
def dsn(postgres_server: PostgresServer, database: str) -> Iterator[str]:
    """A database that is empty."""
    yield database
    postgres_server.execute(CLEAR, database)


class TestPostgresStore(StoreConformance):
    cancel_points = 8
    examples = 2

    @pytest.fixture(autouse=True)
    def _database(self, dsn: str) -> None:
        self.dsn = dsn

    async def connect(self) -> ObjectStore:
        return await PostgresStore.connect(self.dsn)

    async def raw_objects(self) -> dict[str, bytes]:
        rows = await ask(self.dsn, OBJECTS)
        assert all(row["size"] == len(row["data"]) for row in rows)
        return {row["key"]: row["data"] for row in rows}

    async def residue(self) -> list[str]:
        return [f"chunks of {row['key']}" for row in await ask(self.dsn, LEFT_OVER)]

    async def leave_unfinished(self, key: str) -> None:
        await ask(self.dsn, "INSERT INTO holdall_store.chunks VALUES ($1, 0, $2)", key, b"half")


@pytest.fixture
async def store(dsn: str) -> AsyncIterator[PostgresStore]:
    store = await PostgresStore.connect(dsn)
    yield store
    await store.aclose()


async def test_stores_that_start_at_once_make_the_tables_once(dsn: str) -> None:
    stores = await asyncio.gather(*(PostgresStore.connect(dsn) for _ in range(8)))
    key, data = await make(stores[0], 5)
    assert await fetch(stores[7], key) == data
    for store in stores:
        await store.aclose()


async def test_a_role_that_may_make_no_schema_uses_what_is_there(
    postgres_server: PostgresServer, dsn: str, store: PostgresStore
) -> None:
    role = dsn.rpartition("/")[2]
    await ask(dsn, f"CREATE ROLE {role} LOGIN PASSWORD 'p'")
    try:
        await ask(dsn, f"GRANT USAGE ON SCHEMA holdall_store TO {role}")
        await ask(dsn, f"GRANT ALL ON ALL TABLES IN SCHEMA holdall_store TO {role}")
        host = dsn.rpartition("@")[2]
        other = await PostgresStore.connect(f"postgresql://{role}:p@{host}")
        key, data = await make(other, 5)
        await other.aclose()
        assert await fetch(store, key) == data
    finally:
        await ask(dsn, f"DROP OWNED BY {role}")
        await ask(dsn, f"DROP ROLE {role}")


@pytest.fixture(scope="module")
def own() -> Iterator[OwnPostgresServer]:
    """A server that nobody else writes to, and that a test may stop if it starts it again."""
    with servers.postgres_server() as server:
        yield server


async def test_a_put_has_reached_the_disk(own: OwnPostgresServer) -> None:
    quiet = own.create_database()
    # This server waits for the disk only when it is told to; else it would write 0.2 s later.
    # Now and then something else is in the log after the put.
    flushed = "SELECT pg_current_wal_flush_lsn() >= pg_current_wal_insert_lsn() AS it"
    store = await PostgresStore.connect(quiet)
    for size in (10, 5 * MIB):
        safe = 0
        for _ in range(10):
            await make(store, size)
            safe += (await ask(quiet, flushed))[0]["it"]
        assert safe >= 8, size
    await store.aclose()


async def test_chunks_that_were_lost_meanwhile_fail_the_put(dsn: str, store: PostgresStore) -> None:
    key = new_key("blobs")

    async def body() -> AsyncIterator[bytes]:
        yield content(5 * MIB)
        lose = "DELETE FROM holdall_store.chunks WHERE key = $1 AND n = 0 RETURNING n"
        while not await ask(dsn, lose, key):  # it is written beside us
            pass
        yield b"more"

    with pytest.raises(StoreUnavailable, match="lost"):
        await store.put(key, body(), size=None)
    assert await ask(dsn, "SELECT n FROM holdall_store.chunks") == []


async def test_a_killed_put_leaves_only_what_delete_takes(dsn: str, store: PostgresStore) -> None:
    key = new_key("blobs")
    ours = [row["pid"] for row in await ask(dsn, OTHER_BACKENDS, [])]
    await killed_put("postgres", {"dsn": dsn}, key)
    async with asyncio.timeout(DEADLINE):
        while await ask(dsn, OTHER_BACKENDS, ours):  # what a dead client had sent is still written
            pass
    assert len(await ask(dsn, "SELECT n FROM holdall_store.chunks WHERE key = $1", key)) > 10
    assert [info async for info in store.list()] == []
    await store.delete([key])
    assert await ask(dsn, "SELECT n FROM holdall_store.chunks") == []


async def test_a_chunk_that_is_missing_is_an_error(dsn: str, store: PostgresStore) -> None:
    key, data = await make(store, 9 * MIB)
    await ask(dsn, "DELETE FROM holdall_store.chunks WHERE n = 5")
    with pytest.raises(ObjectNotFound):
        await fetch(store, key)
    async with store.open(key, ByteRange(0, 5 * MIB)) as reader:
        assert await read(reader) == data[: 5 * MIB]


async def test_chunks_of_another_size_stay_readable(dsn: str, store: PostgresStore) -> None:
    key, data = new_key("blobs"), content(1000)
    for n in range(10):
        chunk = data[100 * n : 100 * n + 100]
        await ask(dsn, "INSERT INTO holdall_store.chunks VALUES ($1, $2, $3)", key, n, chunk)
    await ask(dsn, "INSERT INTO holdall_store.objects VALUES ($1, 1000, 100)", key)
    for start, stop in ((0, 1000), (99, 101), (100, 200), (5, 6), (250, 999)):
        async with store.open(key, ByteRange(start, stop)) as reader:
            assert await read(reader) == data[start:stop]


@pytest.mark.parametrize("size", [10, 5 * MIB])
async def test_a_full_disk_is_told_and_leaves_nothing(
    dsn: str, store: PostgresStore, size: int
) -> None:
    await ask(
        dsn,
        """
        CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = '53100'; END $$
        """,
    )
    table = "chunks" if size > MIB else "objects"
    await ask(
        dsn,
        f"CREATE TRIGGER full_disk BEFORE INSERT ON holdall_store.{table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION full_disk()",
    )
    with pytest.raises(StoreFull):
        await make(store, size)
    assert await ask(dsn, "SELECT n FROM holdall_store.chunks") == []


async def test_the_server_goes_and_comes_back(own: OwnPostgresServer) -> None:
    store = await PostgresStore.connect(own.create_database())
    key, data = await make(store, 9 * MIB)
    own.process.kill()
    async with asyncio.timeout(DEADLINE):
        await assert_unavailable(store, key)
    own.process.start()
    assert await fetch(store, key) == data
    await make(store, 9 * MIB)
    own.process.stop()
    async with asyncio.timeout(DEADLINE):
        await assert_unavailable(store, key)
        await store.aclose()
    own.process.start()


async def test_tables_that_were_dropped_are_unavailable(dsn: str, store: PostgresStore) -> None:
    key, _ = await make(store, 5)
    await ask(dsn, "DROP TABLE holdall_store.objects")
    with pytest.raises(StoreUnavailable):
        await store.stat(key)
    await ask(dsn, "DROP SCHEMA holdall_store CASCADE")
    with pytest.raises(StoreUnavailable):
        await store.stat(key)


async def test_what_is_unfinished_is_found_between_the_chunks_of_many(
    dsn: str, store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.postgres._SCAN_PAGE", 3)
    whole = [await make(store, size) for size in (10, 5 * MIB, 9 * MIB)]
    left = {new_key("blobs") for _ in range(8)}
    for key in left:
        rows = "SELECT $1::text, n, ''::bytea FROM generate_series(5, 9) AS n"
        await ask(dsn, f"INSERT INTO holdall_store.chunks {rows}", key)
    found = [info.key async for info in store.unfinished()]
    assert (set(found), len(found)) == (left, len(left))
    for key, data in whole:
        assert await fetch(store, key) == data


async def test_who_may_not_connect_is_told_so(
    postgres_server: PostgresServer, dsn: str, store: PostgresStore
) -> None:
    for wrong in (dsn + "x", dsn.replace("postgres:", "postgres:x"), "postgresql://127.0.0.1:1/x"):
        with pytest.raises(StoreUnavailable) as caught:
            await PostgresStore.connect(wrong)
        assert caught.value.__cause__ is not None


async def test_a_server_that_falls_silent_is_given_up(
    postgres_server: PostgresServer, dsn: str, store: PostgresStore
) -> None:
    host, _, database = dsn.rpartition("/")
    before, _, port = host.rpartition(":")
    async with proxy_to(int(port)) as proxy:
        slow = await PostgresStore.connect(f"{before}:{proxy.port}/{database}", patience=1.0)
        key, data = await make(slow, 3 * MIB)
        proxy.freeze()
        async with asyncio.timeout(DEADLINE):
            await assert_unavailable(slow, key)
        proxy.thaw()
        assert await fetch(slow, key) == data
        proxy.reset()
        with suppress(StoreUnavailable):  # the one that finds out
            await slow.ping()
        assert await fetch(slow, key) == data
        await slow.aclose()


async def test_a_connection_that_is_lost_fails_the_put_and_leaves_nothing(
    dsn: str, store: PostgresStore
) -> None:
    async def body() -> AsyncIterator[bytes]:
        async for chunk in chunked(content(40 * MIB), CHUNK):
            yield chunk
            await ask(
                dsn,
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'holdall-store' AND state = 'active'",
            )

    with pytest.raises(StoreUnavailable):
        await store.put(new_key("blobs"), body(), size=None)
    assert await ask(dsn, "SELECT n FROM holdall_store.chunks") == []
    await make(store, 9 * MIB)
