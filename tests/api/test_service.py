"""The service's own routes: it lives, and it is ready or not."""

import asyncio
import contextlib
import html
import re
import shlex
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest

from app import VERSION, state, stores
from app.errors import ServiceUnavailable
from app.pictures.formats import format_of
from app.processes import confinement
from storage.marked import marked
from tests import servers
from tests.api.conftest import MakeSettings, Service, running
from tests.faults import FaultyStore

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

HTML = {"Accept": "text/html"}


@contextlib.asynccontextmanager
async def _faulty(settings: Any) -> AsyncIterator[tuple[Service, FaultyStore]]:  # noqa: ANN401
    """Run a service whose store can be told to fail."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stores, "marked", lambda *args: FaultyStore(marked(*args)))
        async with running(settings) as service:
            store = service.runtime.parts.store
            assert isinstance(store, FaultyStore)
            yield service, store


async def test_it_lives_and_says_its_version(service: Service) -> None:
    answer = await service.client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "version": VERSION})


@pytest.mark.ordinary
async def test_it_is_ready_and_names_each_part_with_its_time(service: Service) -> None:
    answer = await service.client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json()["status"] == "ready"
    checks = answer.json()["checks"]
    expected = {"database", "storage", "decoders"} | (
        {"redis"} if service.settings.redis_url else set()
    )
    assert set(checks) == expected
    assert all(check["status"] == "ok" and check["ms"] >= 0 for check in checks.values())


async def test_it_says_how_its_children_are_confined(service: Service) -> None:
    checks = (await service.client.get("/readyz")).json()["checks"]
    assert checks["decoders"]["confinement"] == confinement.names()
    assert "confinement" not in checks["database"]


async def test_without_decoders_it_is_degraded(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(make_settings()) as service:
        for executable, status in (("/no/such/program", "failed"), (sys.executable, "ok")):
            with monkeypatch.context() as patched:
                patched.setattr(sys, "executable", executable)
                with contextlib.suppress(ServiceUnavailable):
                    await service.runtime.parts.decoders.run(format_of, b"")
            answer = await service.client.get("/readyz")
            assert answer.status_code == 200
            assert answer.json()["checks"]["decoders"]["status"] == status
            assert answer.json()["status"] == ("ready" if status == "ok" else "degraded")


async def test_a_store_that_fails_makes_it_unavailable(make_settings: MakeSettings) -> None:
    async with _faulty(make_settings()) as (service, store):
        store.fail("ping")
        failed = await service.client.get("/readyz")
        assert (failed.status_code, failed.json()["status"]) == (503, "unavailable")
        assert failed.json()["checks"]["storage"]["status"] == "failed"
        assert failed.json()["checks"]["database"]["status"] == "ok"
        assert (await service.client.get("/readyz")).status_code == 200


async def test_a_part_that_hangs_counts_as_failed_in_time(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "CHECK_TIMEOUT", 0.05)
    async with _faulty(make_settings()) as (service, store):
        store.stall("ping")
        started = time.perf_counter()
        answer = await service.client.get("/readyz")
        assert answer.status_code == 503
        assert time.perf_counter() - started < 2


async def test_those_who_ask_together_share_one_check(make_settings: MakeSettings) -> None:
    async with _faulty(make_settings()) as (service, store):
        fault = store.stall("ping")
        asking = [asyncio.create_task(service.client.get("/readyz")) for _ in range(20)]
        await fault.reached.wait()
        await anyio.wait_all_tasks_blocked()
        asking[0].cancel()  # one that gives up takes nothing away from the others
        fault.go.set()
        answers = await asyncio.gather(*asking)
        assert [answer.status_code for answer in answers] == [503] + [200] * 19
        assert store.calls["ping"] == 1
        await service.client.get("/readyz")
        assert store.calls["ping"] == 2, "a later question is answered anew"


@pytest.mark.ordinary
async def test_without_redis_it_is_degraded(make_settings: MakeSettings) -> None:
    (port,) = servers.free_ports(1)
    async with running(make_settings(redis_url=f"redis://127.0.0.1:{port}")) as service:
        answer = await service.client.get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
        assert answer.json()["checks"]["redis"]["status"] == "failed"


@pytest.mark.ordinary
async def test_without_its_database_it_is_unavailable(
    make_settings: MakeSettings, request: pytest.FixtureRequest
) -> None:
    async with running(make_settings()) as service:
        if service.settings.uses_postgres:
            server: servers.PostgresServer = request.getfixturevalue("postgres_server")
            server.drop_database(service.settings.postgres_dsn)
        else:
            await service.runtime.parts.database.aclose()
        answer = await service.client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["checks"]["database"]["status"] == "failed"
        assert (await service.client.get("/healthz")).status_code == 200


async def test_the_home_page_and_the_docs_are_served_under_their_policies(
    service: Service,
) -> None:
    for path in ("/", "/docs"):
        page = await service.client.get(path, headers=HTML)
        assert page.status_code == 200
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'unsafe" not in policy
        assert not re.search(r'(src|href)="(https?:)?//', page.text), "it asks others for something"


async def test_a_host_name_cannot_write_shell_lines(service: Service) -> None:
    for host in ("a;touch${IFS}x<b>", "$(reboot)", "a b", "x'y"):
        page = await service.client.get("/", headers=HTML | {"Host": host})
        lines = re.findall("HOLDALL=(.*)", page.text)
        assert len(lines) == 2  # to be read, and to be copied
        for line in lines:
            word = html.unescape(line)
            assert shlex.quote(shlex.split(word)[0]) == word
            assert "<" not in line


async def test_closed_registration_shows_no_way_to_sign_up(make_settings: MakeSettings) -> None:
    async with running(make_settings(registration="closed")) as service:
        page = (await service.client.get("/", headers=HTML)).text
        assert "Registration is closed" in page
        assert "/v1/accounts" not in page
