"""Several workers: they start as one service, are replaced, and end as one."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests import plain_http
from tests.system.conftest import Inspect, MakeSettings, Start, StartFork
from tests.system.crew import children, is_running, only, workers
from tests.system.processes import DEADLINE, Service, wait_for
from tests.system.test_lifecycle import is_refused
from tests.system.uploads import Upload

BODY = bytes(range(256)) * 4096 * 3  # 3 MiB
HALF = len(BODY) // 2
TWO = {"WORKERS": "2"}


def test_a_worker_that_dies_is_replaced_and_the_others_serve_on(
    make_settings: MakeSettings, start: Start
) -> None:
    settings = make_settings("local", **TWO)
    service = start(settings)
    victim, other = workers(service)
    with (
        only(victim, [victim, other], settings),
        socket.create_connection(service.address) as theirs,
    ):
        theirs.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert theirs.recv(12) == b"HTTP/1.1 200"
        theirs.settimeout(DEADLINE)
        os.kill(victim, signal.SIGKILL)
        while True:  # its connections end with it
            try:
                if not theirs.recv(4096):
                    break
            except ConnectionResetError:
                break
    assert plain_http.get(f"{service.url}/readyz").status_code == 200
    wait_for(lambda: len(set(children(service.pid)) - {victim}) == 2)
    (died,) = [event for event in service.events if event["event"] == "a worker has died"]
    assert (died["pid"], died["outcome"]) == (victim, "was ended by SIGKILL")
    assert service.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_all_workers_stop_at_once_and_finish_what_they_began(
    make_settings: MakeSettings, start: Start, inspect: Inspect, number: signal.Signals
) -> None:
    settings = make_settings("local", **TWO)
    inside = inspect(settings)
    service = start(settings)
    both = workers(service)
    address = service.address
    uploads = []
    for n, worker in enumerate(both):
        with only(worker, both, settings):
            upload = Upload(service, f"late{n}", len(BODY))
            upload.send(BODY[:HALF])
            wait_for(lambda: inside.rows()[0] == n + 1)  # noqa: B023
            uploads.append(upload)
    service.send_signal(number)
    wait_for(lambda: is_refused(address))
    for upload in uploads:
        with upload:
            upload.send(BODY[HALF:])
            assert upload.status() == 201
    assert service.wait() == 0
    assert not any(map(is_running, both))
    assert {event["level"] for event in service.events} == {"info"}


def test_workers_end_with_their_supervisor(make_settings: MakeSettings, start: Start) -> None:
    service = start(make_settings("local", **TWO))
    both = workers(service)
    address = service.address
    service.kill()
    wait_for(lambda: not any(map(is_running, both)))
    assert is_refused(address)
    assert service.log.count("the supervisor is gone") == 2


@pytest.mark.parametrize(
    ("name", "value"), [("DEFAULT_TIER", "Nonsense"), ("COMPAT", "nonsense"), ("WORKERS", "none")]
)
def test_a_wrong_setting_is_named_once(
    make_settings: MakeSettings, start_fork: StartFork, name: str, value: str
) -> None:
    settings = make_settings("local", **(TWO | {name: value}))
    service, process = start_fork(settings, ready=False)
    assert process.wait(DEADLINE) not in {0, None}
    assert service.log.count(f"{name}: ") == 1
    assert "Traceback" not in service.log
    assert service.printed == ""


def test_an_address_that_is_taken_is_named(
    make_settings: MakeSettings, start_fork: StartFork
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        settings = make_settings("local", **(TWO | {"PORT": port}))
        service, process = start_fork(settings, ready=False)
        assert process.wait(DEADLINE) == 1
    assert f"HOST, PORT: 127.0.0.1, {port}: Address already in use" in service.log


@contextmanager
def load(service: Service) -> Iterator[list[str]]:
    """Send requests in the context, some on connections that are kept; yields what failed."""
    failed: list[str] = []
    done = threading.Event()

    def send() -> None:
        with plain_http.Client(headers=service.client.headers) as client:
            number = 0
            while not done.is_set():
                number += 1
                try:
                    if number % 5 == 0:
                        answer = plain_http.get(f"{service.url}/healthz")
                    else:
                        answer = client.get(f"{service.url}/v1/blobs/kept/content")
                    if answer.status_code != 200:
                        failed.append(str(answer.status_code))
                except httpx.HTTPError as error:
                    failed.append(repr(error))

    threads = [threading.Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield failed
    finally:
        done.set()
        for thread in threads:
            thread.join()


def test_a_reload_replaces_all_workers_without_a_failed_request(
    make_settings: MakeSettings, start: Start, tmp_path: Path
) -> None:
    service = start(make_settings("local", **TWO))
    before = workers(service)
    service.client.put("/v1/blobs/kept/content", content=BODY[:2000]).raise_for_status()
    service.client.close()
    assert plain_http.get(f"{service.url}/metrics").status_code == 401
    (tmp_path / ".env").write_text("METRICS=open\nWORKERS=2\n")
    with load(service) as failed:
        service.send_signal(signal.SIGHUP)
        wait_for(lambda: '"reloaded"' in service.log)
    assert failed == []
    assert set(before).isdisjoint(workers(service, 2))
    assert plain_http.get(f"{service.url}/metrics").status_code == 200
    assert service.stop() == 0


def test_a_connection_of_a_replaced_worker_gets_one_more_response(
    make_settings: MakeSettings, start: Start
) -> None:
    settings = make_settings("local", **TWO)
    service = start(settings)
    first, second = workers(service)
    with only(first, [first, second], settings):
        kept = socket.create_connection(service.address, timeout=DEADLINE)
        assert b"connection: close" not in asked(kept)
    with kept:
        service.send_signal(signal.SIGHUP)
        wait_for(lambda: b"connection: close" in asked(kept))
        assert kept.recv(1) == b""
    wait_for(lambda: '"reloaded"' in service.log)


def asked(connection: socket.socket) -> bytes:
    """Ask for something on a connection; returns the response."""
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    response = b""
    while not response.endswith(b"}"):
        received = connection.recv(4096)
        assert received, "the connection was closed"
        response += received
    assert response.startswith(b"HTTP/1.1 200"), response
    return response


def test_settings_that_are_wrong_are_not_reloaded(
    make_settings: MakeSettings, start: Start, tmp_path: Path
) -> None:
    service = start(make_settings("local", **TWO))
    before = workers(service)
    for line, word in (("LOG_LEVEL=loud", "LOG_LEVEL: "), ("COMPAT=nonsense", "COMPAT: ")):
        (tmp_path / ".env").write_text(line + "\n")
        service.send_signal(signal.SIGHUP)
        wait_for(lambda: word in service.log and "not reloaded" in service.log)  # noqa: B023
        assert service.client.get("/healthz").status_code == 200
    wait_for(lambda: service.log.count("not reloaded") == 2)
    assert children(service.pid) == before


def test_one_process_is_not_reloaded_and_goes_on(make_settings: MakeSettings, start: Start) -> None:
    service = start(make_settings("local"))
    service.send_signal(signal.SIGHUP)
    wait_for(lambda: "not reloaded: one process has to be restarted" in service.log)
    assert service.client.get("/healthz").status_code == 200
    assert service.stop() == 0


@pytest.mark.slow
def test_it_ends_when_no_worker_can_be_started_any_more(
    make_settings: MakeSettings, start: Start
) -> None:
    settings = make_settings("local", **TWO)
    service = start(settings)
    both = workers(service)
    folder = Path(settings["DATA_DIR"])
    folder.rename(folder.with_name("elsewhere"))
    folder.write_text("no folder")
    for worker in both:
        os.kill(worker, signal.SIGKILL)
    assert service.wait() not in {0, None}
    assert "no worker can be started" in service.log
    assert "DATA_DIR: " in service.log
