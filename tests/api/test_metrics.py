"""Metrics: who may read them, and that they count what happens, through both profiles."""

import math
import re
from collections import Counter
from collections.abc import AsyncIterator

import httpx
import pytest

from app import VERSION
from app.security.rate_limits import LOGIN
from tests import servers
from tests.api import raw
from tests.api.conftest import MakeSettings, Service, running
from tests.api.listening import listening

pytestmark = [pytest.mark.anyio, pytest.mark.slow("scaled")]

LOOPBACK = "http://127.0.0.1:8000"
ADMIN = {"admin_username": "root", "admin_password": "a root password"}
ROUTE = "/v1/blobs/{id}/content"
KIB = 1024
MEASURED = [
    *("holdall_event_loop_lag_seconds", "holdall_database_commit_writes"),
    *("holdall_child_active_calls", "holdall_child_waiting_calls", "holdall_child_failures_total"),
    *("holdall_task_lag_seconds", "holdall_task_batches_total", "holdall_damaged_objects_total"),
    *("holdall_dropped_log_lines_total", "holdall_reconcile_findings", "holdall_event_streams"),
    *("process_resident_memory_bytes", "process_cpu_seconds_total", "process_open_fds"),
]

SAMPLE = re.compile(r"(?P<name>\w+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

Series = dict[tuple[str, ...], float]


async def _metrics(service: Service, url: str = "/metrics", **headers: str) -> httpx.Response:
    return await service.client.get(url, headers=headers)


async def test_metrics_are_for_operators(service: Service) -> None:
    _, user = await service.sign_up()
    assert (await _metrics(service)).status_code == 401
    assert (await _metrics(service, **user)).status_code == 403
    body = {"name": "k", "scopes": ["blobs:read"]}
    key = await service.client.post("/v1/accounts/me/keys", json=body, headers=user)
    assert (await _metrics(service, Authorization=f"Bearer {key.json()['key']}")).status_code == 403
    answer = await _metrics(service, **service.service_token)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")


async def test_being_on_this_host_opens_no_metrics(make_settings: MakeSettings) -> None:
    async with running(make_settings()) as service:
        assert service.settings.is_private
        # a proxy that says nothing of itself looks just like this
        assert (await _metrics(service, f"{LOOPBACK}/metrics")).status_code == 401


async def test_metrics_can_be_open_to_all(make_settings: MakeSettings) -> None:
    async with running(make_settings(metrics="open", host="0.0.0.0")) as service:  # noqa: S104
        assert (await _metrics(service)).status_code == 200


async def test_an_administrators_key_reads_metrics_and_nothing_else(
    make_settings: MakeSettings,
) -> None:
    async with running(make_settings(**ADMIN)) as service:
        admin = await service.log_in("root", ADMIN["admin_password"])
        _, user = await service.sign_up("ada")
        body = {"name": "prometheus", "scopes": ["metrics:read"]}
        keys = "/v1/accounts/me/keys"
        refused = await service.client.post(keys, json=body, headers=user)
        assert refused.status_code == 403
        assert "metrics:read" in refused.json()["detail"]
        made = await service.client.post(keys, json=body, headers=admin)
        key = {"Authorization": f"Bearer {made.json()['key']}"}
        assert (await _metrics(service, **key)).status_code == 200
        assert (await service.client.get("/v1/blobs", headers=key)).status_code == 403
        # it goes on only as long as its owner administrates
        ada = await service.client.get("/v1/accounts", params={"q": "ada"}, headers=admin)
        root = await service.client.get("/v1/accounts", params={"q": "root"}, headers=admin)
        for account, value in ((ada, True), (root, False)):
            (item,) = account.json()["items"]
            changed = await service.client.patch(
                f"/v1/accounts/{item['id']}", json={"is_admin": value}, headers=admin
            )
            assert changed.status_code == 200
        assert (await _metrics(service, **key)).status_code == 403


async def _series(service: Service) -> Series:
    text = (await _metrics(service, **service.service_token)).text
    lines = (SAMPLE.fullmatch(line) for line in text.splitlines() if not line.startswith("#"))
    return {
        (
            line["name"],
            *sorted(f"{name}={value}" for name, value in LABEL.findall(line["labels"] or "")),
        ): (float(line["value"]))
        for line in lines
        if line is not None
    }


async def _grown(service: Service, before: Series) -> Series:
    """Return by how much series have grown; new ones have been 0."""
    after = await _series(service)
    grown = {labels: value - before.get(labels, 0) for labels, value in after.items()}
    return {
        labels: by for labels, by in grown.items() if by and "http_route=/metrics" not in labels
    }


def _asked(method: str, status: int | None, route: str = ROUTE) -> tuple[str, ...]:
    return (
        "http_server_request_duration_seconds_count",
        f"http_request_method={method}",
        f"http_response_status_code={status or ''}",
        f"http_route={route}",
    )


def _of_route(name: str, method: str, *more: str) -> tuple[str, ...]:
    return (name, f"http_request_method={method}", f"http_route={ROUTE}", *more)


async def test_requests_are_counted_by_method_route_and_status(service: Service) -> None:
    _, headers = await service.sign_up()
    before = await _series(service)
    for n in range(3):
        await service.client.get(f"/v1/blobs/no-such-{n}/content", headers=headers)
    await service.client.get("/v1/blobs/no-such/content")
    grown = await _grown(service, before)
    assert grown[_asked("GET", 404)] == 3
    assert grown[_asked("GET", 401)] == 1
    assert grown[_of_route("holdall_http_time_to_first_byte_seconds_count", "GET")] == 4
    assert not any("no-such" in part for labels in grown for part in labels)


async def test_bytes_of_bodies_are_counted(service: Service) -> None:
    _, headers = await service.sign_up()
    url, size = "/v1/blobs/some/content", 200 * KIB  # more than is kept in a row
    before = await _series(service)
    await service.client.put(url, content=bytes(size), headers=headers)
    await service.client.get(url, headers=headers)
    await service.client.get(url, headers=headers | {"Range": "bytes=10-19"})
    await service.client.head(url, headers=headers)
    grown = await _grown(service, before)
    assert grown[_of_route("http_server_request_body_size_bytes_sum", "PUT")] == size
    assert grown["holdall_received_bytes_total",] == size
    sizes = "http_server_response_body_size_bytes"
    assert grown[_of_route(f"{sizes}_sum", "GET")] == size + 10
    assert _of_route(f"{sizes}_sum", "HEAD") not in grown
    assert grown["holdall_sent_bytes_total",] >= size + 10
    below = {
        bound: grown.get((f"{sizes}_bucket", *_of_route("", "GET", f"le={bound}")[1:]), 0)
        for bound in ("1024.0", "32768.0", "1048576.0", "+Inf")
    }
    assert below == {"1024.0": 1, "32768.0": 1, "1048576.0": 2, "+Inf": 2}
    assert not any(
        labels[0].startswith("http_server_request_body") and "http_request_method=GET" in labels
        for labels in grown
    ), "requests without a body have no size"


async def test_requests_under_way_are_counted_and_those_that_break_off(service: Service) -> None:
    _, headers = await service.sign_up()
    active = ("http_server_active_requests", "http_request_method=PUT")
    before = await _series(service)

    async def messages() -> AsyncIterator[raw.Message]:
        yield raw.part(bytes(KIB), more=True)
        seen.append((await _series(service))[active])
        yield raw.DISCONNECT

    seen: list[float] = []
    await raw.request(service, "PUT", "/v1/blobs/broken/content", headers, messages())
    assert seen == [before.get(active, 0) + 1]
    grown = await _grown(service, before)
    assert active not in grown
    assert grown[_of_route("holdall_http_aborted_requests_total", "PUT")] == 1


async def test_nobody_can_invent_series(service: Service) -> None:
    await service.client.get("/nowhere")
    await service.client.request("FIRST", "/nowhere")
    await service.client.request("FIRST", "/healthz")
    before = await _series(service)
    for n in range(20):
        await service.client.get(f"/nowhere/{n}")
        await service.client.request(f"INVENTED{n}", "/nowhere")
        await service.client.request(f"INVENTED{n}", "/healthz")
    grown = await _grown(service, before)
    assert grown[_asked("GET", 404, "")] == 20
    assert grown[_asked("_OTHER", 405, "/healthz")] == 20
    assert set(grown) <= set(before)


async def test_a_scrape_has_no_times_of_creation(service: Service) -> None:
    assert "_created" not in (await _metrics(service, **service.service_token)).text


@pytest.mark.ordinary
async def test_what_is_stored_is_measured(service: Service) -> None:
    _, headers = await service.sign_up()
    await service.client.put("/v1/blobs/a/content", content=bytes(300 * KIB), headers=headers)
    found = await _series(service)
    assert found["holdall_build_info", f"version={VERSION}"] == 1
    assert found["holdall_accounts",] == 2  # with the built-in one
    assert found["holdall_stored_objects", "kind=blobs"] == 1
    assert found["holdall_stored_bytes", "kind=blobs"] == 300 * KIB
    disks = {labels[1] for labels in found if labels[0] == "holdall_disk_free_bytes"}
    embedded = {"holds=database", "holds=objects"} if not service.settings.uses_postgres else set()
    assert disks == {"holds=temporary files"} | embedded
    for disk in disks:
        free, size = (found[f"holdall_disk_{what}_bytes", disk] for what in ("free", "size"))
        assert 0 < free <= size


@pytest.mark.ordinary
async def test_store_and_database_are_measured(service: Service) -> None:
    _, headers = await service.sign_up()
    before = await _series(service)
    await service.client.put("/v1/blobs/a/content", content=bytes(300 * KIB), headers=headers)
    grown = await _grown(service, before)
    store = f"store={service.settings.active_storage}"
    assert grown["holdall_store_operation_duration_seconds_count", store, "verb=put"] == 1
    writes = grown["holdall_database_commit_writes_sum",]
    assert writes >= 2  # the reservation, and the commit
    queue = "queue=turn" if service.settings.uses_postgres else "queue=writer"
    assert grown["holdall_database_wait_seconds_count", queue] == writes


async def test_refusals_of_rate_limits_are_counted(make_settings: MakeSettings) -> None:
    async with running(make_settings(rate_limits="on", registration="open")) as service:
        before = await _series(service)
        form = {"username": "nobody", "password": "not the right one"}
        answers = [
            await service.client.post("/v1/auth/token", data=form) for _ in range(LOGIN.limit + 2)
        ]
        assert Counter(answer.status_code for answer in answers)[429] == 2
        assert (await _grown(service, before))[
            "holdall_rate_limit_refusals_total", "rule=login"
        ] == 2


async def test_open_streams_of_events_are_counted(service: Service) -> None:
    _, headers = await service.sign_up()
    async with listening(service, headers) as events:
        await events.next()
        assert (await _series(service))["holdall_event_streams",] == 1
    assert (await _series(service))["holdall_event_streams",] == 0


async def test_the_parts_and_the_process_are_measured(service: Service) -> None:
    text = (await _metrics(service, **service.service_token)).text
    names = set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE))
    assert set(MEASURED) <= names


@pytest.mark.ordinary
async def test_without_its_database_figures_are_missing_rather_than_old(
    make_settings: MakeSettings, request: pytest.FixtureRequest
) -> None:
    async with running(make_settings(metrics="open")) as service:
        assert ("holdall_accounts",) in await _series(service)
        if service.settings.uses_postgres:
            server: servers.PostgresServer = request.getfixturevalue("postgres_server")
            server.drop_database(service.settings.postgres_dsn)
        else:
            await service.runtime.parts.database.aclose()
        found = await _series(service)
        assert math.isnan(found["holdall_accounts",])
        assert not {labels[0] for labels in found} & {
            "holdall_stored_bytes",
            "holdall_task_lag_seconds",
        }
        assert ("holdall_disk_free_bytes", "holds=temporary files") in found
