"""Puts that take effect after they were given up: a proxy holds their last bytes back meanwhile."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from app import clock
from app.accounts.identity import Access, Identity
from app.database import Database, instance
from app.database.schema import metadata
from app.database.sqlite.connections import create_sqlite_engine
from app.database.sqlite.database import SqliteDatabase
from app.objects.tables import tombstones
from app.objects.uploads import Body, Uploads
from app.tasks.reconcile import Comparison, Finding, Kind
from app.tasks.sweep import Sweep
from storage.base import ObjectStore
from storage.errors import StoreUnavailable
from storage.postgres import PostgresStore
from storage.s3.store import S3Store
from tests.proxy import Proxy, proxy_to
from tests.servers import PostgresServer, S3Server

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

MIB = 1 << 20
LAST = b"these are the last bytes; " * 4000
DAY = 24 * 3600 * clock.SECOND
PATIENCE = 1.0  # seconds


@dataclass
class Way:
    """A store, the same through a proxy, and what tells of all that is in it."""

    store: ObjectStore
    through: ObjectStore
    proxy: Proxy

    async def left(self) -> list[str]:
        """Return the keys of whatever is in the store."""
        whole = [info.key async for info in self.store.list()]
        return [*whole, *[info.key async for info in self.store.unfinished()]]


@asynccontextmanager
async def s3(request: pytest.FixtureRequest) -> AsyncIterator[Way]:
    server: S3Server = request.getfixturevalue("s3_server")
    arguments: dict[str, Any] = {
        "bucket": server.create_bucket(),
        "region": server.region,
        "access_key": server.access_key,
        "secret_key": server.secret_key,
    }
    url = server.endpoint_url
    async with proxy_to(int(url.rpartition(":")[2])) as proxy:
        store = await S3Store.connect(**arguments, endpoint_url=url)
        endpoint = f"http://127.0.0.1:{proxy.port}"
        through = await S3Store.connect(**arguments, endpoint_url=endpoint, patience=PATIENCE)
        yield Way(store, through, proxy)
        await through.aclose()
        await store.aclose()


@asynccontextmanager
async def postgres(request: pytest.FixtureRequest) -> AsyncIterator[Way]:
    server: PostgresServer = request.getfixturevalue("postgres_server")
    dsn = server.create_database()
    host, _, database = dsn.rpartition("/")
    before, _, port = host.rpartition(":")
    async with proxy_to(int(port)) as proxy:
        store = await PostgresStore.connect(dsn)
        address = f"{before}:{proxy.port}/{database}"
        through = await PostgresStore.connect(address, patience=PATIENCE)
        yield Way(store, through, proxy)
        await through.aclose()
        await store.aclose()


@pytest.fixture(params=[s3, postgres], ids=lambda opened: opened.__name__)
async def way(request: pytest.FixtureRequest, anyio_backend: str) -> AsyncIterator[Way]:
    async with request.param(request) as opened:
        yield opened


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    path = tmp_path / "test.db"
    engine = create_sqlite_engine(path)
    metadata.create_all(engine)
    engine.dispose()
    opened = SqliteDatabase(path)
    await opened.write(instance.identify, "an-id")
    yield opened
    await opened.aclose()


def one_slot(_connection: object, _identity: Identity) -> int:
    return 1


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(120):
        while not await condition():  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(0.01)


async def give_up(way: Way, database: Database, access: Access, size: int) -> None:
    """Begin an upload whose last bytes don't get to the store in time."""
    uploads = Uploads(database, way.through, inline_max=0, on_give_up=lambda: None)

    async def chunks() -> AsyncIterator[bytes]:
        yield bytes(size - len(LAST))
        yield LAST

    way.proxy.hold_from(LAST[-1000:])
    with pytest.raises(StoreUnavailable):
        async with uploads.receive(access, Body(chunks(), size), kind="blobs", admit=one_slot):
            raise AssertionError("it was received")
    await uploads.aclose()
    assert way.proxy.held > 0


async def sweep(way: Way, database: Database, now: int) -> int:
    task, swept = Sweep(database, way.store), 0
    while done := await task.run_once(now):
        swept += done
    return swept


@pytest.mark.parametrize("size", [MIB - 7, 12 * MIB + 7])
async def test_what_comes_late_is_swept_after_all(
    way: Way, database: Database, access: Access, size: int
) -> None:
    await give_up(way, database, access, size)
    given_up_by = clock.now()
    assert await sweep(way, database, given_up_by) == 1
    assert await way.left() == []

    way.proxy.let_through()
    if size < MIB or isinstance(way.store, PostgresStore):  # a late part of what is aborted is none
        await until(lambda: _any(way))
    assert await sweep(way, database, given_up_by) == 0, "it may come even later"
    assert await sweep(way, database, given_up_by + int(way.store.late) * clock.SECOND) == 1
    assert await way.left() == []
    count = select(func.count()).select_from(tombstones)
    assert await database.read(lambda c: c.execute(count).scalar_one()) == 0


async def _any(way: Way) -> bool:
    return bool(await way.left())


async def test_what_nobody_knows_of_any_more_is_found(
    way: Way, database: Database, access: Access
) -> None:
    """As after an outage that was longer than any tombstone stays."""
    await give_up(way, database, access, MIB * 3 // 2)
    later = clock.now() + 2 * int(way.store.late) * clock.SECOND
    assert await sweep(way, database, later) == 1
    way.proxy.let_through()
    await until(lambda: _any(way))
    (key,) = await way.left()
    kind: Kind = "unfinished" if isinstance(way.store, PostgresStore) else "orphans"
    comparison = Comparison(database, way.store, clock.now() + 2 * DAY)
    assert [found async for found in comparison.run()] == [Finding(kind, key)]
    await way.store.delete([key])
    assert await way.left() == []
