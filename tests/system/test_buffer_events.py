"""Live changes of the buffer across real processes, with and without Redis, up to the last."""

import asyncio
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack

import httpx
import pytest

from tests import servers
from tests.system.conftest import MakeSettings, Start
from tests.system.events import Listener, listening
from tests.system.processes import PROJECT, SERVICE_TOKEN, Service, wait_for

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

INTERVAL = 0.5
"""Seconds between the checks of a process that is started by `QUICK`."""

POOL = 40
"""Connections that a process may keep to databases, and a few descriptors to spare."""

QUICK = [
    sys.executable,
    "-c",
    f"""
import functools, sys
sys.path.insert(0, {str(PROJECT)!r})
import main
from app import runtime
from app.buffer.events import BufferEvents
runtime.BufferEvents = functools.partial(BufferEvents, interval={INTERVAL})
sys.exit(main.main())
""",
]
UVICORN = [sys.executable, "-m", "uvicorn", "--app-dir", str(PROJECT), "--port", "0", "main:app"]


@pytest.fixture(scope="module")
def own_valkey() -> Iterator[servers.ValkeyServer]:
    """A Valkey that tests may stop."""
    with servers.valkey_server() as server:
        yield server


def put(service: Service, text: str) -> int:
    """Put a text into the buffer of the built-in account; returns its version."""
    headers = {"X-Data-Type": "text"}
    answer = service.client.put("/v1/buffer", content=text.encode(), headers=headers)
    assert answer.is_success, answer.text
    return int(answer.json()["version"])


async def heard(listener: Listener, version: int) -> float:
    """Wait for a version, and return how many seconds that took."""
    started = time.monotonic()
    await listener.until(version)
    return time.monotonic() - started


async def test_a_change_in_one_process_is_seen_in_the_other_within_a_second(
    make_settings: MakeSettings, start: Start, valkey_server: servers.ValkeyServer
) -> None:
    settings = make_settings("database", REDIS_URL=valkey_server.url)
    one, other = start(settings), start(settings)
    async with listening(one, SERVICE_TOKEN) as here, listening(other, SERVICE_TOKEN) as there:
        for listener in (here, there):
            assert await listener.next() == ("current", {"version": 0, "empty": True})
        for number, service in enumerate((one, other, one, other), start=1):
            version = put(service, f"text {number}")
            assert version == number
            for listener in (here, there):
                assert await heard(listener, version) < 1
            for service_ in (one, other):
                assert service_.client.get("/v1/buffer").text == f"text {number}"
        other.client.delete("/v1/buffer")
        for listener in (here, there):
            assert await listener.next() == ("changed", {"version": 5, "empty": True})


async def test_expiry_is_seen_in_every_process(
    make_settings: MakeSettings, start: Start, valkey_server: servers.ValkeyServer
) -> None:
    settings = make_settings("database", REDIS_URL=valkey_server.url, EXPIRE_TIME="1")
    one, other = start(settings), start(settings)
    async with listening(one, SERVICE_TOKEN) as here, listening(other, SERVICE_TOKEN) as there:
        put(one, "for a second")
        for listener in (here, there):
            assert await listener.until(2) == {"version": 2, "empty": True}
    wait_for(lambda: _used(one) == "0")


def _used(service: Service) -> str:
    return str(service.client.get("/v1/accounts/me").json()["usage"]["objects"])


@pytest.mark.slow
async def test_without_redis_changes_are_seen_at_the_next_check(
    make_settings: MakeSettings, start: Start, own_valkey: servers.ValkeyServer
) -> None:
    settings = make_settings("database", REDIS_URL=own_valkey.url)
    one, other = start(settings, command=QUICK), start(settings, command=QUICK)
    async with listening(one, SERVICE_TOKEN) as here, listening(other, SERVICE_TOKEN) as there:
        version = put(one, "with")
        await asyncio.gather(here.until(version), there.until(version))
        own_valkey.process.kill()
        for number in range(5):
            version = put(one, f"without {number}")
            assert await heard(here, version) < INTERVAL
            assert await heard(there, version) < 2 + INTERVAL
        warnings = [event for event in one.events if event["level"] == "warning"]
        assert len([event for event in warnings if "live events" in event["event"]]) == 1
        assert not [event for event in one.events if event["level"] == "error"]
        own_valkey.process.start()
        wait_for(lambda: "live events go to all processes again" in one.log)
        wait_for(lambda: "live events go to all processes again" in other.log)
        version = put(one, "with it again")
        await asyncio.gather(here.until(version), there.until(version))


@pytest.mark.parametrize("storage", ["local", "database"])
async def test_many_listen_and_leave_nothing_behind(
    make_settings: MakeSettings, start: Start, storage: str
) -> None:
    service = start(make_settings(storage, REGISTRATION="open"))
    tokens = [_sign_up(service, f"user{number}") for number in range(3)]
    descriptors = service.open_files
    for round_ in range(3):  # a leak of listeners would meet the bound on those of an account
        async with AsyncExitStack() as stack:
            listeners = [
                (token, await stack.enter_async_context(listening(service, token)))
                for token in tokens
                for _ in range(25)
            ]
            async with httpx.AsyncClient(base_url=service.url) as client:
                for token in tokens:
                    headers = {"Authorization": f"Bearer {token}", "X-Data-Type": "text"}
                    stored = await client.put("/v1/buffer", content=b"x", headers=headers)
                    assert stored.json()["version"] == round_ + 1
            times = [heard(listener, round_ + 1) for _, listener in listeners]
            assert max(await asyncio.gather(*times)) < 5
        wait_for(lambda: service.open_files < descriptors + POOL)


def _sign_up(service: Service, name: str) -> str:
    account = {"username": name, "password": "correct horse"}
    made = service.client.post("/v1/accounts", json=account, headers={"Authorization": ""})
    assert made.status_code == 201, made.text
    return str(service.client.post("/v1/auth/token", data=account).json()["access_token"])


async def test_a_client_who_does_not_read_holds_up_nobody(
    make_settings: MakeSettings, start: Start
) -> None:
    service = start(make_settings("local"))
    async with (
        listening(service, SERVICE_TOKEN) as slow,
        listening(service, SERVICE_TOKEN) as quick,
    ):
        version = 0
        for number in range(300):
            version = put(service, str(number))
            await quick.until(version)
        assert (await slow.until(version))["empty"] is False


@pytest.mark.parametrize(
    ("command", "number"),
    [(None, signal.SIGTERM), (UVICORN, signal.SIGINT)],
    ids=["main.py", "uvicorn"],
)
async def test_a_stop_ends_streams_before_it_waits_for_requests(
    make_settings: MakeSettings,
    start: Start,
    command: list[str] | None,
    number: signal.Signals,
) -> None:
    settings = make_settings("local", SHUTDOWN_GRACE="3600")
    service = start(settings) if command is None else start(settings, command=command)
    async with AsyncExitStack() as stack:
        listeners = [
            await stack.enter_async_context(listening(service, SERVICE_TOKEN)) for _ in range(30)
        ]
        for listener in listeners:
            await listener.next()
        started = time.monotonic()
        status = await asyncio.to_thread(service.stop, number)
        assert time.monotonic() - started < 5
        ends = await asyncio.gather(*(listener.rest() for listener in listeners))
        assert {end.rpartition(b"\r\n0\r\n\r\n")[2] for end in ends} == {b""}
    if command is None:
        assert status == 0
    assert not [event for event in service.events if event["level"] not in {"debug", "info"}]
