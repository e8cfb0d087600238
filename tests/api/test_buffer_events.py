"""Events of the buffer, through both profiles: who hears of which change, and for how long."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import Connection, update

from app.buffer.events import BufferEvents
from app.buffer.tables import buffers
from app.buffer.use_cases import Buffer
from app.bus.local import Bus, LocalBus
from app.changes import CHECK_INTERVAL, PER_ACCOUNT
from routers.http import events
from tests.api.conftest import MakeSettings, Service, _settings, running
from tests.api.listening import Event, listening
from tests.api.problems import assert_problem
from tests.api.shared import shared_fixtures
from tests.api.test_buffer import FILE, TEXT, URL, Headers, put

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]


settings, service = shared_fixtures()


@pytest.fixture(autouse=True)
async def _nothing_leaks(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """Check that no test leaves anybody listening on the shared service."""
    yield
    if "service" not in request.fixturenames:
        return
    service: Service = request.getfixturevalue("service")
    assert service.runtime.buffer.listeners == 0
    local = getattr(service.runtime.parts.bus, "_local", service.runtime.parts.bus)
    assert isinstance(local, LocalBus)
    assert local.topics == frozenset()
    running = {task.get_coro().__qualname__ for task in asyncio.all_tasks()}  # type: ignore[union-attr]
    assert not {name for name in running if "EventStream" in name or "disconnected" in name}


@pytest.fixture
async def ada(service: Service) -> Headers:
    """Headers of a new account."""
    return (await service.sign_up())[1]


def variant(service: Service, **changes: Any) -> Service:  # noqa: ANN401 - parts of a runtime
    """Return the same service with other parts, as it answers from now on."""
    runtime = dataclasses.replace(service.runtime, **changes)
    cast("Any", service.client._transport).app.app.state.runtime = runtime
    return dataclasses.replace(service, runtime=runtime)


def buffer_with(
    service: Service, bus: Bus | None = None, interval: float = CHECK_INTERVAL
) -> Buffer:
    """Return the service's buffer, with another bus or interval of checks."""
    runtime = service.runtime
    return Buffer(
        runtime.settings,
        runtime.parts.uploads,
        BufferEvents(bus or runtime.parts.bus, runtime.parts.permits, interval=interval),
        wake_expiry=runtime.parts.expiry.wake_for,
        wake_sweep=runtime.parts.sweep.wake,
    )


@pytest.fixture
async def quick(service: Service) -> AsyncIterator[Service]:
    """The service, checking its listeners twenty times a second."""
    yield variant(service, buffer=buffer_with(service, interval=0.05))
    variant(service)


def changed(version: int, *, empty: bool = False) -> Event:
    return Event("changed", version, {"version": version, "empty": empty})


def current(version: int, *, empty: bool = False) -> Event:
    return Event("current", version, {"version": version, "empty": empty})


@pytest.mark.ordinary
async def test_every_change_is_told(service: Service, ada: Headers) -> None:
    async with listening(service, ada) as stream:
        assert stream.status == 200
        assert stream.headers["content-type"] == "text/event-stream"
        assert stream.headers["cache-control"] == "no-store"
        assert stream.headers["x-accel-buffering"] == "no"
        assert await stream.next() == current(0, empty=True)
        await put(service, ada)
        assert await stream.next() == changed(1)
        await put(service, ada, bytes(100_000), FILE)
        assert await stream.next() == changed(2)
        await service.client.delete(URL, headers=ada)
        assert await stream.next() == changed(3, empty=True)
    async with listening(service, ada) as stream:
        assert await stream.next() == current(3, empty=True)


@pytest.mark.ordinary
async def test_all_who_listen_hear_it_and_nobody_else(service: Service, ada: Headers) -> None:
    _, bob = await service.sign_up()
    async with (
        listening(service, ada) as one,
        listening(service, ada) as two,
        listening(service, bob) as other,
    ):
        for stream in (one, two, other):
            assert await stream.next() == current(0, empty=True)
        await put(service, ada)
        assert await one.next() == await two.next() == changed(1)
        await put(service, bob)
        assert await other.next() == changed(1)
        assert (one.waiting, two.waiting) == (0, 0)


@pytest.mark.ordinary
async def test_who_comes_back_hears_what_was_missed(service: Service, ada: Headers) -> None:
    await put(service, ada)
    await put(service, ada)
    async with listening(service, ada | {"Last-Event-ID": "1"}) as stream:
        assert [await stream.next(), await stream.next()] == [current(2), changed(2)]
    for version, seen in ((2, "2"), (3, ""), (4, "4")):
        async with listening(service, ada | {"Last-Event-ID": seen}) as stream:
            assert await stream.next() == current(version)
            await put(service, ada)
            assert await stream.next() == changed(version + 1)


async def test_a_slow_client_gets_the_newest(service: Service, ada: Headers) -> None:
    async with listening(service, ada) as stream:
        assert await stream.next() == current(0, empty=True)
        stream.taking.clear()
        await put(service, ada)
        assert await stream.next() == changed(1)  # handed over, and the client takes no more
        for _ in range(40):
            await put(service, ada)
        assert stream.waiting == 0
        stream.taking.set()
        assert await stream.next() == changed(41)
        await put(service, ada)
        assert await stream.next() == changed(42)


async def test_expiry_is_a_change_without_any_task(make_settings: MakeSettings) -> None:
    async with running(make_settings(expire_time=1)) as service:
        ada = service.service_token
        async with listening(service, ada) as stream:
            assert await stream.next() == current(0, empty=True)
            await put(service, ada)
            assert await stream.next() == changed(1)
            async with asyncio.timeout(CHECK_INTERVAL / 2):
                assert await stream.next() == changed(2, empty=True)
            assert (await service.client.get(URL, headers=ada)).status_code == 404


@pytest.mark.ordinary
async def test_a_lost_hint_heals_at_the_next_check(quick: Service, ada: Headers) -> None:
    await put(quick, ada)
    async with listening(quick, ada) as stream:
        assert await stream.next() == current(1)
        await quick.runtime.parts.database.write(_count_on)
        assert await stream.next() == changed(2)


def _count_on(connection: Connection) -> None:
    connection.execute(update(buffers).values(version=buffers.c.version + 1))


async def test_a_comment_shows_that_the_stream_lives(quick: Service, ada: Headers) -> None:
    async with listening(quick, ada) as stream:
        assert await stream.next() == current(0, empty=True)
        for _ in range(3):
            await stream.next_comment()
        assert stream.waiting == 0


async def test_a_revoked_session_ends_its_stream(quick: Service) -> None:
    account, ada = await quick.sign_up()
    again = await quick.log_in(account["username"])
    async with listening(quick, ada) as stream, listening(quick, again) as other:
        assert await stream.next() == await other.next() == current(0, empty=True)
        await quick.client.post("/v1/auth/revoke", headers=ada)
        await stream.until_ended()
        await put(quick, again)
        assert await other.next() == changed(1)


async def test_an_ended_session_hears_of_no_change(service: Service) -> None:
    account, ada = await service.sign_up()
    again = await service.log_in(account["username"])
    async with listening(service, ada) as stream:
        assert await stream.next() == current(0, empty=True)
        await service.client.post("/v1/auth/revoke", headers=ada)
        await put(service, again)  # the hint comes long before the next check
        await stream.until_ended()
        assert stream.waiting == 0


async def test_a_deleted_key_ends_its_stream(quick: Service, ada: Headers) -> None:
    new = {"name": "phone", "scopes": ["buffer:read"]}
    made = (await quick.client.post("/v1/accounts/me/keys", json=new, headers=ada)).json()
    async with listening(quick, {"Authorization": f"Bearer {made['key']}"}) as stream:
        assert await stream.next() == current(0, empty=True)
        await quick.client.delete(f"/v1/accounts/me/keys/{made['id']}", headers=ada)
        await stream.until_ended()


async def test_an_account_has_a_bounded_number(service: Service, ada: Headers) -> None:
    _, bob = await service.sign_up()
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(AsyncExitStack())
        await first.enter_async_context(listening(service, ada))
        for _ in range(PER_ACCOUNT - 1):
            await stack.enter_async_context(listening(service, ada))
        refused = await service.client.get(f"{URL}/events", headers=ada)
        assert_problem(refused, 429, "too-many-requests")
        assert refused.headers["retry-after"] == "15"
        await stack.enter_async_context(listening(service, bob))
        await first.aclose()
        stream = await stack.enter_async_context(listening(service, ada))
        assert await stream.next() == current(0, empty=True)


@pytest.fixture
async def closing(service: Service) -> AsyncIterator[Service]:
    """The service as one that can be told to stop without an end for the others."""
    yield variant(service, closing=asyncio.Event())
    variant(service)


async def test_a_stop_ends_streams(closing: Service, ada: Headers) -> None:
    async with listening(closing, ada) as stream:
        assert await stream.next() == current(0, empty=True)
        closing.runtime.closing.set()
        await stream.until_ended()
    async with listening(closing, ada) as late:
        await late.until_ended()


async def test_a_stop_waits_for_no_client(
    closing: Service, ada: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_FAREWELL", 0.05)
    async with listening(closing, ada) as stream:
        assert await stream.next() == current(0, empty=True)
        stream.taking.clear()
        await put(closing, ada)
        assert await stream.next() == changed(1)
        closing.runtime.closing.set()
        await stream.until_ended()


async def test_a_client_who_takes_nothing_counts_as_gone(
    quick: Service, ada: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "IDLE_TIMEOUT", 0.05)
    async with listening(quick, ada) as stream:
        assert await stream.next() == current(0, empty=True)
        stream.taking.clear()
        await stream.until_ended()


class _WatchedBus:
    """A bus whose publishing a test can look at."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.published: list[tuple[str, str]] = []
        self.subscribe = bus.subscribe

    async def publish(self, topic: str, message: str) -> None:
        self.published.append((topic, message))


@pytest.mark.ordinary
async def test_what_is_told_has_been_committed(service: Service, ada: Headers) -> None:
    bus = _WatchedBus(service.runtime.parts.bus)
    watched = variant(service, buffer=buffer_with(service, bus))
    await put(watched, ada)
    for content, also in ((b"x", {}), (b"x", TEXT | {"If-None-Match": "*"})):
        assert (await put(watched, ada, content, also)).is_error
    await watched.client.delete(URL, headers=ada)
    await watched.client.delete(URL, headers=ada)
    variant(service)
    assert [message for _, message in bus.published] == ["1", "2"]


async def test_a_database_that_is_away_ends_no_stream(tmp_path: Path) -> None:
    async with running(_settings(tmp_path / "data")) as service:
        quick = variant(service, buffer=buffer_with(service, interval=0.05))
        async with listening(quick, quick.service_token) as stream:
            assert await stream.next() == current(0, empty=True)
            await quick.runtime.parts.database.aclose()
            for _ in range(3):
                await stream.next_comment()
            assert not stream.ended.is_set()
