"""What workers share through the hub: permits, and who leads."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from app.errors import ServiceUnavailable
from app.permits import LocalPermits, Permits
from app.workers.hub import Hub
from app.workers.link import Link
from app.workers.sharing import WorkerBus, WorkerPermits
from tests.app.workers.crews import linked
from tests.deadline import DEADLINE

pytestmark = pytest.mark.anyio


@pytest.fixture
async def hub(anyio_backend: str) -> AsyncIterator[Hub]:
    del anyio_backend
    hub = Hub()
    yield hub
    async with asyncio.timeout(DEADLINE):
        await hub.aclose()


@pytest.fixture(params=["local", "workers"])
async def both(request: pytest.FixtureRequest, hub: Hub) -> AsyncIterator[list[Permits]]:
    """The permits of two who have them together."""
    if request.param == "local":
        alone = LocalPermits()
        yield [alone, alone]
        return
    async with linked(hub, 1) as one, linked(hub, 2) as other:
        yield [WorkerPermits(one), WorkerPermits(other)]


async def granted(waiting: asyncio.Task[None]) -> None:
    async with asyncio.timeout(DEADLINE):
        await waiting


async def test_there_are_so_many_permits_for_all(both: list[Permits]) -> None:
    one, other = both
    await one.acquire("it", 2)
    assert await other.try_acquire("it", 2)
    assert not await one.try_acquire("it", 2)
    assert await one.try_acquire("something else", 1)
    waiting = asyncio.create_task(other.acquire("it", 2))
    assert not await other.try_acquire("it", 2)  # answered after it, and so it waits
    assert not waiting.done()
    one.release("it")
    await granted(waiting)
    assert not await one.try_acquire("it", 2)


async def test_who_gives_up_waiting_keeps_no_permit(both: list[Permits]) -> None:
    one, other = both
    await one.acquire("it", 1)
    given_up = asyncio.create_task(other.acquire("it", 1))
    assert not await other.try_acquire("it", 1)
    waiting = asyncio.create_task(other.acquire("it", 1))
    given_up.cancel()
    await asyncio.wait([given_up])
    one.release("it")
    await granted(waiting)


async def test_the_permits_of_a_worker_that_has_ended_are_the_others(hub: Hub) -> None:
    async with linked(hub, 1) as one:
        async with AsyncExitStack() as other:
            theirs = WorkerPermits(await other.enter_async_context(linked(hub, 2)))
            await theirs.acquire("it", 1)
            waiting = asyncio.create_task(theirs.acquire("it", 1))
            assert not await theirs.try_acquire("it", 1)
            mine = asyncio.create_task(WorkerPermits(one).acquire("it", 1))
            assert not await WorkerPermits(one).try_acquire("it", 1)
            waiting.cancel()
        await granted(mine)


async def test_who_asks_a_supervisor_that_is_gone_is_told_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hub, told = Hub(), asyncio.Event()
    monkeypatch.setattr("os.kill", lambda *_: told.set())  # else it would stop these tests
    async with linked(hub, 1) as link:
        permits = WorkerPermits(link)
        await permits.acquire("it", 1)
        waiting = asyncio.create_task(permits.acquire("it", 1))
        assert not await permits.try_acquire("it", 1)
        for attending in hub._attending.values():
            attending.cancel()
        async with asyncio.timeout(DEADLINE):
            await told.wait()
            with pytest.raises(ServiceUnavailable):
                await waiting
            with pytest.raises(ServiceUnavailable):
                await permits.acquire("it", 1)


async def test_one_leads_and_another_when_that_has_ended(hub: Hub) -> None:
    woken: asyncio.Queue[tuple[int, str | None]] = asyncio.Queue()

    def hear(link: Link) -> Link:
        link.on_wake = lambda name: woken.put_nowait((link.number, name))
        return link

    async with asyncio.timeout(DEADLINE), AsyncExitStack() as second:
        async with linked(hub, 1) as first:
            hear(first)
            assert await woken.get() == (1, None)
            follower = hear(await second.enter_async_context(linked(hub, 2)))
            assert not first.delegate("expiry")
            assert follower.delegate("expiry")
            assert await woken.get() == (1, "expiry")
            assert (first.leads, follower.leads) == (True, False)
        assert await woken.get() == (2, None)
        assert not follower.delegate("expiry")


async def test_a_bus_reaches_the_other_workers_and_its_own(hub: Hub) -> None:
    async with linked(hub, 1) as one, linked(hub, 2) as other, asyncio.timeout(DEADLINE):
        buses = WorkerBus(one), WorkerBus(other)
        async with buses[0].subscribe("t") as mine, buses[1].subscribe("t") as theirs:
            await buses[0].publish("other", "nothing")
            await buses[0].publish("t", "first")
            await buses[1].publish("t", "second")
            assert [await anext(mine), await anext(mine)] == ["first", "second"]
            assert await anext(theirs) in {"first", "second"}
