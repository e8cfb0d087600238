"""Rate limits: the same counts in process and over a real Valkey, which may go away."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from app.errors import TooManyRequests
from app.security.addresses import networks_of
from app.security.rate_limits import (
    SITE,
    LocalRateLimits,
    NoRateLimits,
    RateLimits,
    Rule,
    by_address,
    check_all,
    count_all,
)
from app.security.redis_rate_limits import RedisRateLimits
from app.workers.hub import Hub
from app.workers.sharing import WorkerRateLimits
from tests import servers
from tests.app.workers.crews import linked
from tests.deadline import DEADLINE

pytestmark = pytest.mark.anyio


class FakeClock:
    """Time that passes when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def rule() -> Rule:
    """A rule of its own for each test, so that a shared server is no matter."""
    return Rule(f"test-{uuid.uuid4()}", 3, 60)


@pytest.fixture
async def redis(valkey_server: servers.ValkeyServer, anyio_backend: str) -> AsyncIterator[Redis]:
    client = Redis.from_url(valkey_server.url)
    yield client
    await client.aclose()


@pytest.fixture
async def of_workers(anyio_backend: str) -> AsyncIterator[WorkerRateLimits]:
    del anyio_backend
    hub = Hub()
    async with linked(hub, 1) as link:
        yield WorkerRateLimits(link)
    await hub.aclose()


@pytest.fixture(params=["local", "redis", "workers"])
def limits(request: pytest.FixtureRequest) -> RateLimits:
    """Each implementation."""
    if request.param == "local":
        return LocalRateLimits()
    if request.param == "redis":
        return RedisRateLimits(request.getfixturevalue("redis"))
    limits: WorkerRateLimits = request.getfixturevalue("of_workers")
    return limits


async def is_refused(limits: RateLimits, rule: Rule, key: str) -> bool:
    try:
        await limits.check(rule, key)
    except TooManyRequests:
        return True
    return False


async def test_as_many_are_allowed_as_the_rule_says(limits: RateLimits, rule: Rule) -> None:
    for _ in range(3):
        await limits.check(rule, "ada")
        await limits.count(rule, "ada")

    with pytest.raises(TooManyRequests) as refused:
        await limits.check(rule, "ada")
    assert 1 <= int(refused.value.headers["Retry-After"]) <= 60
    with pytest.raises(TooManyRequests) as refused:
        await limits.count(rule, "ada")
    assert 1 <= int(refused.value.headers["Retry-After"]) <= 60
    assert not await is_refused(limits, rule, "bob")
    assert not await is_refused(limits, Rule(rule.name + "-other", 3, 60), "ada")


async def test_at_once_no_more_are_allowed(limits: RateLimits, rule: Rule) -> None:
    answers = await asyncio.gather(
        *(limits.count(rule, "ada") for _ in range(20)), return_exceptions=True
    )
    assert answers.count(None) == 3


async def test_a_window_ends() -> None:
    clock = FakeClock()
    limits, rule = LocalRateLimits(clock=clock), Rule("login", 1, 60)
    await limits.count(rule, "ada")
    clock.now += 59.5
    assert await is_refused(limits, rule, "ada")
    clock.now += 0.5
    assert not await is_refused(limits, rule, "ada")


async def test_a_window_ends_in_redis(redis: Redis) -> None:
    limits, rule = RedisRateLimits(redis), Rule(f"test-{uuid.uuid4()}", 1, 60)
    await limits.count(rule, "ada")
    await limits.check(Rule(rule.name, 2, 60), "ada")  # counted, and not only here
    assert await is_refused(limits, rule, "ada")
    (key,) = [key async for key in redis.scan_iter(f"holdall:limit:{rule.name}:*")]
    assert 59_000 < await redis.pttl(key) <= 60_000
    assert await redis.pexpire(key, 1)
    async with asyncio.timeout(DEADLINE):
        while await is_refused(limits, rule, "ada"):
            pass


async def test_processes_count_together_over_redis(redis: Redis, rule: Rule) -> None:
    one, other = RedisRateLimits(redis), RedisRateLimits(redis)
    for _ in range(3):
        await one.count(rule, "ada")
    assert await is_refused(other, rule, "ada")


async def test_memory_is_bounded_and_the_oldest_are_forgotten() -> None:
    limits, rule = LocalRateLimits(max_keys=100), Rule("login", 1, 60)
    for n in range(1000):
        await limits.count(rule, str(n))
    assert not await is_refused(limits, rule, "899")
    assert await is_refused(limits, rule, "900")


async def test_ended_windows_take_no_room() -> None:
    clock = FakeClock()
    limits, rule = LocalRateLimits(clock=clock, max_keys=10), Rule("login", 1, 60)
    for n in range(10):
        await limits.count(rule, str(n))
    clock.now += 60
    for n in range(10, 20):
        await limits.count(rule, str(n))
    assert await is_refused(limits, rule, "10")


@pytest.fixture
def own_valkey() -> Iterator[servers.ValkeyServer]:
    """A server that the test may stop."""
    with servers.valkey_server() as server:
        yield server


async def test_without_redis_each_process_counts_until_it_is_back(
    own_valkey: servers.ValkeyServer, rule: Rule
) -> None:
    clock = FakeClock()
    async with Redis.from_url(own_valkey.url) as redis:
        limits = RedisRateLimits(redis, clock=clock)
        await limits.count(rule, "ada")
        own_valkey.process.stop()
        with capture_logs() as logs:
            for _ in range(3):
                await limits.count(rule, "ada")
            assert await is_refused(limits, rule, "ada")
        assert [entry["log_level"] for entry in logs] == ["warning"]

        own_valkey.process.start()
        assert await is_refused(limits, rule, "ada")  # it is left alone for a while
        clock.now += RedisRateLimits.PAUSE
        with capture_logs() as logs:
            assert not await is_refused(limits, rule, "ada")
        assert [entry["log_level"] for entry in logs] == ["info"]


async def test_a_redis_that_hangs_is_not_waited_for(
    own_valkey: servers.ValkeyServer, rule: Rule
) -> None:
    async with Redis.from_url(own_valkey.url) as redis:
        limits = RedisRateLimits(redis)
        await limits.count(rule, "ada")
        own_valkey.process.pause()
        async with asyncio.timeout(DEADLINE):
            for _ in range(3):
                await limits.count(rule, "ada")
            assert await is_refused(limits, rule, "ada")
        own_valkey.process.resume()


async def test_switched_off_they_allow_everything() -> None:
    limits, rule = NoRateLimits(), Rule("login", 0, 60)
    await limits.count(rule, "ada")
    await limits.check(rule, "ada")


@pytest.mark.parametrize(
    ("host", "networks"),
    [
        ("192.0.2.7", ["192.0.2.7"]),
        ("::ffff:192.0.2.7", ["192.0.2.7"]),
        ("2001:db8:1:2:3:4:5:6", ["2001:db8:1:2::/64", "2001:db8:1::/48"]),
        ("fe80::1%eth0", ["fe80::/64", "fe80::/48"]),
        ("testclient", ["testclient"]),
    ],
)
def test_an_address_counts_as_its_user_and_its_site(host: str, networks: list[str]) -> None:
    assert list(networks_of(host)) == networks


async def test_all_networks_of_a_site_are_counted_together(limits: RateLimits, rule: Rule) -> None:
    async def counted(address: str) -> bool:
        try:
            await count_all(limits, by_address(rule, address, "ada"))
        except TooManyRequests:
            return False
        return True

    tried = [await counted(f"2001:db8:1:{n}::1") for n in range(SITE) for _ in range(rule.limit)]
    assert all(tried)
    assert not await counted("2001:db8:1:ffff::1")  # which has tried nothing yet
    with pytest.raises(TooManyRequests):
        await check_all(limits, by_address(rule, "2001:db8:1:fffe::1", "ada"))
    await check_all(limits, by_address(rule, "2001:db8:1:ffff::1", "bob"))
    assert await counted("2001:db8:2::1")
    await check_all(limits, by_address(rule, "192.0.2.1", "ada"))


async def test_what_is_one_too_many_for_one_counter_counts_for_all(
    limits: RateLimits, rule: Rule
) -> None:
    other = Rule(f"{rule.name}-other", 1, 60)
    await limits.count(other, "here")
    with pytest.raises(TooManyRequests):
        await count_all(limits, [(other, "here"), (Rule(rule.name, 1, 60), "ada")])
    assert await is_refused(limits, Rule(rule.name, 1, 60), "ada")
