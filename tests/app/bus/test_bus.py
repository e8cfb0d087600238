"""The bus, in one process and over a real Redis: who listens hears, whatever Redis does."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from app.bus.local import BACKLOG, Bus, LocalBus
from app.bus.over_redis import RedisBus
from tests import servers
from tests.deadline import DEADLINE
from tests.proxy import proxy_to

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["local", "redis"])
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    """A bus of either kind."""
    if request.param == "local":
        yield LocalBus()
        return
    async with redis_bus(request.getfixturevalue("valkey_server")) as made:
        yield made


@asynccontextmanager
async def redis_bus(server: servers.ValkeyServer) -> AsyncIterator[RedisBus]:
    bus = RedisBus(server.url)
    try:
        yield bus
    finally:
        await bus.aclose()


@pytest.fixture(scope="module")
def own_server() -> Iterator[servers.ValkeyServer]:
    """A Valkey that tests may stop."""
    with servers.valkey_server() as server:
        yield server


@pytest.fixture
async def two(own_server: servers.ValkeyServer) -> AsyncIterator[tuple[RedisBus, RedisBus]]:
    """The buses of two processes."""
    async with redis_bus(own_server) as here, redis_bus(own_server) as there:
        yield here, there


async def take(messages: AsyncIterator[str], number: int = 1) -> list[str]:
    async with asyncio.timeout(DEADLINE):
        return [await anext(messages) for _ in range(number)]


async def is_silent(bus: Bus, topic: str, messages: AsyncIterator[str]) -> bool:
    """Tell whether nothing has come; a message of one's own would be behind what has."""
    await bus.publish(topic, "the end")
    return await take(messages) == ["the end"]


async def until_heard(publisher: Bus, topic: str, messages: AsyncIterator[str]) -> str:
    """Publish until one gets through, and return the message that did."""
    async with asyncio.timeout(DEADLINE):
        for number in range(10_000):
            await publisher.publish(topic, f"n{number}")
            try:
                async with asyncio.timeout(0.05):
                    return await anext(messages)
            except TimeoutError:
                continue
    raise AssertionError("unreachable")


async def test_all_who_listen_to_a_topic_hear_it(bus: Bus) -> None:
    await bus.publish("a", "before")
    async with bus.subscribe("a") as one, bus.subscribe("a") as two, bus.subscribe("b") as other:
        for message in ("1", "2", "drei é 😀"):
            await bus.publish("a", message)
        await bus.publish("c", "elsewhere")
        assert await take(one, 3) == await take(two, 3) == ["1", "2", "drei é 😀"]
        assert await is_silent(bus, "a", one)
        assert await is_silent(bus, "b", other)
    await bus.publish("a", "after")


async def test_a_slow_subscriber_loses_the_oldest(bus: Bus) -> None:
    async with bus.subscribe("a") as slow, bus.subscribe("a") as quick:
        for number in range(3 * BACKLOG):
            await bus.publish("a", str(number))
            assert await take(quick) == [str(number)]
        newest = [str(number) for number in range(2 * BACKLOG, 3 * BACKLOG)]
        assert await take(slow, BACKLOG) == newest
        assert await is_silent(bus, "a", slow)


async def test_waiting_can_be_taken_up_again(bus: Bus) -> None:
    async with bus.subscribe("a") as messages:
        for message in ("1", "2"):
            waiting = asyncio.ensure_future(anext(messages))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            await bus.publish("a", message)
            assert await take(messages) == [message]


async def test_messages_reach_other_processes_once(two: tuple[RedisBus, RedisBus]) -> None:
    here, there = two
    async with here.subscribe("a") as mine, there.subscribe("a") as theirs:
        await here.publish("a", "1")
        assert await take(mine) == await take(theirs) == ["1"]
        await there.publish("a", "2")
        assert await take(mine) == await take(theirs) == ["2"]
        assert await is_silent(here, "a", mine)  # no echo


async def test_who_has_begun_to_listen_misses_nothing(two: tuple[RedisBus, RedisBus]) -> None:
    here, there = two
    for number in range(50):
        async with here.subscribe(f"topic {number}") as messages:
            await there.publish(f"topic {number}", str(number))
            assert await take(messages) == [str(number)]


async def test_all_topics_share_a_connection_that_follows_them(
    two: tuple[RedisBus, RedisBus], own_server: servers.ValkeyServer
) -> None:
    here, _ = two
    async with Redis.from_url(own_server.url, decode_responses=True) as client:
        async with AsyncExitStack() as stack:
            for number in range(200):
                await stack.enter_async_context(here.subscribe(f"topic {number}"))
            listening = await client.client_list(_type="pubsub")
            assert len(listening) == 1
            assert int(listening[0]["sub"]) == 200
        async with asyncio.timeout(DEADLINE):
            while await client.pubsub_channels("holdall:bus:*"):
                pass


async def test_a_stranger_on_redis_does_no_harm(
    two: tuple[RedisBus, RedisBus], own_server: servers.ValkeyServer
) -> None:
    here, there = two
    async with (
        Redis.from_url(own_server.url) as client,
        here.subscribe("a") as messages,
    ):
        await client.publish("holdall:bus:a", b"\xff\xfe")
        await client.publish("holdall:bus:a", b"")
        await there.publish("a", "1")
        assert (await take(messages, 3))[-1] == "1"


async def test_without_redis_events_stay_in_the_process(
    two: tuple[RedisBus, RedisBus], own_server: servers.ValkeyServer
) -> None:
    here, there = two
    async with here.subscribe("a") as mine, there.subscribe("a") as theirs:
        await here.publish("a", "1")
        assert await take(mine) == await take(theirs) == ["1"]
        own_server.process.kill()
        with capture_logs() as logs:
            for number in range(20):
                await here.publish("a", str(number))
                assert await take(mine) == [str(number)]
            async with here.subscribe("b") as more:
                await here.publish("b", "new")
                assert await take(more) == ["new"]
            own_server.process.start()
            await until_heard(here, "a", theirs)
            await until_heard(there, "a", mine)
        levels = [entry["log_level"] for entry in logs]
        assert levels.count("warning") <= 2  # one for each process, not for each event
        assert "error" not in levels


async def test_redis_may_come_later(own_server: servers.ValkeyServer) -> None:
    own_server.process.kill()
    async with (
        redis_bus(own_server) as here,
        redis_bus(own_server) as there,
        here.subscribe("a") as messages,
    ):
        await here.publish("a", "own")
        assert await take(messages) == ["own"]
        own_server.process.start()
        assert (await until_heard(there, "a", messages)).startswith("n")


async def test_a_frozen_redis_holds_up_nobody_for_long(
    two: tuple[RedisBus, RedisBus],
    own_server: servers.ValkeyServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(RedisBus, "SILENCE", 0.2)
    here, there = two
    async with here.subscribe("a") as mine, there.subscribe("a") as theirs:
        own_server.process.pause()
        try:
            started = time.monotonic()
            for number in range(20):
                await here.publish("a", str(number))
                assert await take(mine) == [str(number)]
            async with here.subscribe("b"):
                pass
            assert time.monotonic() - started < 3 * RedisBus.TIMEOUT
        finally:
            own_server.process.resume()
        assert await until_heard(there, "a", mine)
        assert await take(theirs)


async def test_a_connection_that_died_unnoticed_is_made_again(
    valkey_server: servers.ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RedisBus, "SILENCE", 0.1)
    async with (
        proxy_to(urlsplit(valkey_server.url).port or 0) as proxy,
        redis_bus(
            servers.ValkeyServer(f"redis://127.0.0.1:{proxy.port}", valkey_server.process)
        ) as here,
        redis_bus(valkey_server) as there,
        here.subscribe("a") as messages,
    ):
        await there.publish("a", "1")
        assert await take(messages) == ["1"]
        with capture_logs() as logs:
            proxy.freeze()
            async with asyncio.timeout(DEADLINE):
                while not logs:  # noqa: ASYNC110 - what it logs is all that shows
                    await asyncio.sleep(0.01)
            assert "Redis fails" in logs[0]["event"]
            proxy.thaw()
            await until_heard(there, "a", messages)
