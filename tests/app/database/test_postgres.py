"""What only PostgreSQL does: it goes away and comes back, and it finds deadlocks."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

import asyncpg
import pytest
from sqlalchemy import Connection

from app.database import DatabaseUnavailable, Patience, patience
from app.database.postgres import connections
from app.database.postgres.database import GROUP, PostgresDatabase
from storage.postgres_pool import CONNECTIONS
from tests import servers
from tests.deadline import DEADLINE
from tests.proxy import Proxy, proxy_to

T = TypeVar("T")

pytestmark = pytest.mark.anyio


@pytest.fixture
async def database(postgres_server: servers.PostgresServer) -> AsyncIterator[PostgresDatabase]:
    opened = PostgresDatabase(postgres_server.create_database())
    await opened.write(execute, "CREATE TABLE things (name TEXT PRIMARY KEY, n BIGINT NOT NULL)")
    yield opened
    await opened.aclose()


def execute(connection: Connection, sql: str) -> None:
    connection.exec_driver_sql(sql)


def name_of(connection: Connection) -> str:
    return str(connection.exec_driver_sql("SELECT current_database()").scalar_one())


async def test_connections_that_died_while_idle_are_replaced(
    database: PostgresDatabase, postgres_server: servers.PostgresServer
) -> None:
    names = await asyncio.gather(*(database.read(name_of) for _ in range(CONNECTIONS)))
    postgres_server.execute(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{names[0]}'"
    )
    again = await asyncio.gather(*(database.read(name_of) for _ in range(CONNECTIONS)))
    assert again == names
    await database.write(execute, "INSERT INTO things VALUES ('a', 1)")


async def test_a_server_that_takes_no_writes_is_left_for_one_that_does(
    database: PostgresDatabase, postgres_server: servers.PostgresServer
) -> None:
    name = await database.read(name_of)
    read_only = f"ALTER DATABASE {name} SET default_transaction_read_only"
    postgres_server.execute(f"{read_only} = on")
    moved = PostgresDatabase(postgres_server.dsn_of(name))
    add = "INSERT INTO things SELECT count(*)::text, 1 FROM things"
    writes = [moved.write(execute, add), *(moved.write_in_turn("one", execute, add) for _ in "ab")]
    refused = await asyncio.gather(*writes, return_exceptions=True)
    assert all(isinstance(answer, DatabaseUnavailable) for answer in refused), refused
    postgres_server.execute(f"{read_only} = off")
    await moved.write(execute, add)
    await moved.aclose()


@pytest.mark.parametrize("is_silent", [True, False])
async def test_a_host_that_is_gone_keeps_nobody_from_the_next(
    postgres_server: servers.PostgresServer, is_silent: bool
) -> None:
    asked: list[asyncio.StreamWriter] = []

    def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(writer)
        if not is_silent:
            writer.transport.abort()

    gone = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = gone.sockets[0].getsockname()[1]
    url = urlsplit(f"{postgres_server.create_database()}?sslmode=disable")
    hosts = url.netloc.replace("@", f"@127.0.0.1:{port},")
    database = PostgresDatabase(url._replace(netloc=hosts).geturl())
    assert await impatiently(database.read(name_of)) == url.path[1:]
    await asyncio.gather(*(database.read(name_of) for _ in range(CONNECTIONS)))
    await database.aclose()
    gone.close()
    for writer in asked:
        writer.close()
    assert len(asked) == 1, "the one that served is asked first"


async def test_a_deadlock_is_tried_again(database: PostgresDatabase) -> None:
    await database.write(execute, "INSERT INTO things VALUES ('a', 0), ('b', 0)")

    def both(connection: Connection, names: str) -> None:
        for name in names:
            connection.exec_driver_sql(f"UPDATE things SET n = n + 1 WHERE name = '{name}'")
            connection.exec_driver_sql("SELECT pg_sleep(0.05)")

    await asyncio.gather(*(database.write(both, names) for names in ("ab", "ba")))
    rows = await database.read(lambda c: c.exec_driver_sql("SELECT n FROM things").scalars().all())
    assert list(rows) == [2, 2]


async def test_a_server_that_refuses_is_asked_once_for_each_group() -> None:
    asked = 0

    def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        writer.transport.abort()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    database = PostgresDatabase(f"postgresql://nobody@127.0.0.1:{port}/nothing?sslmode=disable")
    with pytest.raises(DatabaseUnavailable):
        await database.read(name_of)
    assert asked == 1
    writes = [database.write_in_turn("an account", name_of) for _ in range(GROUP + 1)]
    answers = await asyncio.gather(*writes, return_exceptions=True)
    assert all(isinstance(answer, DatabaseUnavailable) for answer in answers)
    assert asked == 3, "the first write comes alone, all others are a group"
    await database.aclose()
    server.close()


@dataclass
class Far:
    """A database that is reached through a proxy, and the way around it."""

    database: PostgresDatabase
    proxy: Proxy
    near: PostgresDatabase


@pytest.fixture
async def far(
    postgres_server: servers.PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Far]:
    """A database whose connections may end in a black hole; requests wait a second for it."""
    monkeypatch.setattr(patience, "LIMIT", 1.0)
    monkeypatch.setattr(connections, "ABANDONED_SECONDS", 1)
    url = urlsplit(postgres_server.create_database())
    assert url.port is not None
    async with proxy_to(url.port) as proxy:
        address = url.netloc.replace(str(url.port), str(proxy.port))
        database = PostgresDatabase(url._replace(netloc=address).geturl())
        near = PostgresDatabase(url.geturl())
        await near.write(execute, "CREATE TABLE things (name TEXT PRIMARY KEY, n BIGINT NOT NULL)")
        await near.write(execute, "INSERT INTO things VALUES ('a', 0)")
        yield Far(database, proxy, near)
        proxy.thaw()
        await database.aclose()
        await near.aclose()


async def impatiently(asking: Awaitable[T]) -> T | Exception:
    """Ask as a request does; returns what it is answered, which must come soon."""
    with Patience():
        try:
            async with asyncio.timeout(DEADLINE):
                return await asking
        except DatabaseUnavailable as error:
            return error


@pytest.mark.parametrize("connected", [True, False])
async def test_a_black_hole_ends_all_waiting_and_heals(far: Far, connected: bool) -> None:
    if connected:
        names = [far.database.read(name_of) for _ in range(CONNECTIONS)]
        await asyncio.gather(*names)
    far.proxy.freeze()
    count = 3 * CONNECTIONS  # they wait in line, too
    writes = [far.database.write_in_turn("an account", name_of) for _ in range(GROUP + 1)]
    reads = [far.database.read(name_of) for _ in range(count)]
    alone = [far.database.write(name_of) for _ in range(count)]
    begun = time.monotonic()
    answers = await asyncio.gather(*map(impatiently, (*writes, *reads, *alone)))
    assert all(isinstance(answer, DatabaseUnavailable) for answer in answers)
    assert time.monotonic() - begun < 20
    far.proxy.thaw()
    assert isinstance(await impatiently(far.database.read(name_of)), str)
    assert isinstance(await impatiently(far.database.write(name_of)), str)


async def test_a_request_waits_so_long_in_all(far: Far) -> None:
    def sleep(connection: Connection) -> None:
        execute(connection, "SELECT pg_sleep(0.1)")

    answered = 0

    async def ask_on() -> None:
        nonlocal answered
        for verb in itertools.cycle((far.database.read, far.database.write)):
            await verb(sleep)
            answered += 1

    assert isinstance(await impatiently(ask_on()), DatabaseUnavailable)
    assert 0 < answered <= 11
    await far.database.read(sleep)
    with Patience():
        await far.database.read(sleep)


async def test_a_commit_that_nobody_confirms_is_unavailable_and_not_run_again(far: Far) -> None:
    runs = 0

    def add(connection: Connection) -> None:
        nonlocal runs
        runs += 1
        execute(connection, "UPDATE things SET n = n + 1")
        far.proxy.freeze()

    answer = await impatiently(far.database.write_in_turn("an account", add))
    assert isinstance(answer, DatabaseUnavailable)
    far.proxy.thaw()
    await far.database.aclose()
    assert runs == 1
    left = await far.near.read(lambda c: c.exec_driver_sql("SELECT n FROM things").scalar_one())
    assert left in {0, 1}


async def test_what_a_vanished_process_locked_is_free_again(far: Far) -> None:
    def lock(connection: Connection) -> None:
        execute(connection, "UPDATE things SET n = n + 1")
        far.proxy.freeze()

    assert isinstance(await impatiently(far.database.write(lock)), DatabaseUnavailable)
    async with asyncio.timeout(DEADLINE):
        await far.near.write(execute, "UPDATE things SET n = n + 10")
    left = await far.near.read(lambda c: c.exec_driver_sql("SELECT n FROM things").scalar_one())
    assert left == 10


async def test_what_was_given_up_leaves_the_server_though_its_lock_is_held(
    far: Far, postgres_server: servers.PostgresServer
) -> None:
    update = "UPDATE things SET n = n + 1"
    name = await far.near.read(name_of)
    waiting = (
        f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}' AND query = '{update}'"
    )
    holder = await asyncpg.connect(postgres_server.dsn_of(name))
    await holder.execute(f"BEGIN; {update} WHERE name = 'a'")
    answers = [await impatiently(far.near.write(execute, update)) for _ in "abc"]
    assert all(isinstance(answer, DatabaseUnavailable) for answer in answers)
    async with asyncio.timeout(DEADLINE):
        while int(postgres_server.execute(waiting)) > 0:  # noqa: ASYNC110 - of the server
            await asyncio.sleep(0.1)
    await holder.close()
