"""Starting, stopping, and what becomes of uploads meanwhile."""

import signal
import socket
import struct

import pytest

from tests.system.conftest import Inspect, MakeSettings, Start, StartFork
from tests.system.lanes import SIZES
from tests.system.processes import wait_for
from tests.system.uploads import Upload

BODY = bytes(range(256)) * 4096 * 3
HALF = len(BODY) // 2
LARGE = {name: bytes(size) for name, size in SIZES.items()}
"""By storage: parts, chunks and writes enough."""
STORAGES = ["local", "s3", "database"]
RESET = struct.pack("ii", 1, 0)  # linger for no time: close with RST


@pytest.mark.parametrize(
    ("storage", "number"),
    [*((storage, signal.SIGTERM) for storage in STORAGES), ("local", signal.SIGINT)],
)
def test_a_stopped_service_ends_well_and_the_next_finds_its_data(
    make_settings: MakeSettings, start: Start, storage: str, number: signal.Signals
) -> None:
    settings = make_settings(storage)
    first = start(settings)
    assert first.client.put("/v1/blobs/kept/content", content=BODY).status_code == 201
    assert first.stop(number) == 0
    assert {event["level"] for event in first.events} == {"info"}
    second = start(settings)
    assert second.client.get("/v1/blobs/kept/content").content == BODY


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
def test_an_upload_under_way_at_a_stop_is_completed(
    make_settings: MakeSettings, start: Start, number: signal.Signals
) -> None:
    settings = make_settings("local")
    service = start(settings)
    address = service.address
    with Upload(service, "late", len(BODY)) as upload:
        upload.send(BODY[:HALF])
        service.send_signal(number)
        wait_for(lambda: is_refused(address))
        upload.send(BODY[HALF:])
        assert upload.status() == 201
    assert service.wait() == 0
    assert start(settings).client.get("/v1/blobs/late/content").content == BODY


def is_refused(address: tuple[str, int]) -> bool:
    try:
        with socket.create_connection(address):
            return False
    except ConnectionRefusedError:
        return True


@pytest.mark.parametrize("storage", STORAGES)
def test_an_upload_that_exceeds_the_grace_is_told_so_and_leaves_nothing(
    make_settings: MakeSettings, start: Start, inspect: Inspect, storage: str
) -> None:
    settings = make_settings(storage)
    inside = inspect(settings)
    service = start(settings, SHUTDOWN_GRACE="1")
    body = LARGE[storage]
    with Upload(service, "never", len(body)) as upload:
        upload.send(body[:-1])
        wait_for(inside.store.contents)
        service.send_signal(signal.SIGTERM)
        assert upload.status() == 503
    assert service.wait() == 0
    assert {event["level"] for event in service.events} == {"info"}
    assert not inside.store.contents()
    assert inside.rows()[:2] == [0, 0]
    start(settings)
    wait_for(lambda: inside.rows() == [0, 0, 0])  # the note of what was to be deleted, too


@pytest.mark.parametrize(
    ("storage", "way"),
    [
        *(("local", "closed"), ("local", "reset"), ("s3", "closed"), ("database", "reset")),
        pytest.param("s3", "reset", marks=pytest.mark.slow),
        pytest.param("database", "closed", marks=pytest.mark.slow),
    ],
)
def test_a_client_that_vanishes_leaves_nothing_at_once(
    make_settings: MakeSettings, start: Start, inspect: Inspect, storage: str, way: str
) -> None:
    settings = make_settings(storage)
    inside = inspect(settings)
    service = start(settings)
    body = LARGE[storage]
    with Upload(service, "never", len(body)) as upload:
        upload.send(body[:-1])
        wait_for(inside.store.contents)
        if way == "reset":
            upload.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    wait_for(lambda: inside.rows() == [0, 0, 0])
    assert not inside.store.contents()
    usage = service.client.get("/v1/accounts/me").json()["usage"]
    assert (usage["bytes"], usage["objects"]) == (0, 0)
    assert not [event for event in service.events if event["level"] == "error"]


def test_the_lease_of_a_stalled_upload_is_renewed(
    make_settings: MakeSettings, start_fork: StartFork, inspect: Inspect
) -> None:
    settings = make_settings("local")
    inside = inspect(settings)
    service, process = start_fork(settings)
    with Upload(service, "slow", len(BODY)) as upload:
        upload.send(BODY[:HALF])
        wait_for(lambda: inside.rows() == [1, 0, 0])
        first = inside.lease()
        for minutes in (4, 8, 12):  # the lease is one of 5 minutes
            process.ask("pass_time", 4 * 60, "leases")
            wait_for(lambda: inside.lease() >= first + minutes * 60_000_000)  # noqa: B023
            process.ask("pass_time", 0, "sweep")
        upload.send(BODY[HALF:])
        assert upload.status() == 201
    assert service.client.get("/v1/blobs/slow/content").content == BODY


def test_a_clock_that_jumps_ends_no_upload_that_runs(
    make_settings: MakeSettings, start_fork: StartFork, inspect: Inspect
) -> None:
    """Of two processes on one host, as when it was suspended for an hour."""
    settings = make_settings("local")
    inside = inspect(settings)
    services = [start_fork(settings) for _ in range(2)]
    with Upload(services[0][0], "slow", len(BODY)) as upload:
        upload.send(BODY[:HALF])
        wait_for(lambda: inside.rows() == [1, 0, 0])
        for service, process in services:
            process.ask("jump", 3600, "sweep")
            wait_for(lambda: "the clock has jumped" in service.log)  # noqa: B023
            gone = service.client.put("/v1/blobs/gone/content", content=BODY[:HALF])
            assert gone.status_code == 201
            assert service.client.delete("/v1/blobs/gone").status_code == 204
        wait_for(lambda: inside.rows() == [1, 0, 0])  # and so both have swept since
        upload.send(BODY[HALF:])
        assert upload.status() == 201
    assert services[1][0].client.get("/v1/blobs/slow/content").content == BODY
