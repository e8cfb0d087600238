"""Connections of a real process: what strangers' clients send, and those that send nothing."""

import contextlib
import shlex
import socket
import sys
import time

import pytest

from tests.system import processes
from tests.system.conftest import MakeSettings, Start
from tests.system.processes import DEADLINE, PROJECT, SERVICE_TOKEN, Service
from tests.system.test_transfer import answer_on, head

pytestmark = pytest.mark.slow

UVICORN = [sys.executable, "-m", "uvicorn", "--app-dir", str(PROJECT), "--port", "0", "main:app"]
TOKEN = f"Authorization: Bearer {SERVICE_TOKEN}"
OFFER = ["Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"]


@pytest.mark.parametrize("command", [[], UVICORN], ids=["main.py", "uvicorn"])
def test_a_body_beside_an_offer_to_upgrade_is_stored(
    make_settings: MakeSettings, start: Start, command: list[str]
) -> None:
    service = start(make_settings("local"), command=command)
    assert service.client.put("/v1/blobs/x/content", content=b"x").status_code == 201
    body = head("DELETE /v1/blobs/x", TOKEN)
    with socket.create_connection(service.address, timeout=DEADLINE) as opened:
        for status in (201, 200):
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            length = f"Content-Length: {len(body)}"
            opened.sendall(head("PUT /v1/blobs/new/content", TOKEN, *OFFER, length))
            opened.sendall(body)
            assert answer_on(opened)[0] == status
    assert service.client.get("/v1/blobs/new/content").content == body
    assert service.client.get("/v1/blobs/x/content").content == b"x"
    assert {event["level"] for event in service.events} == {"info"}


def test_another_protocol_is_told_of_once(make_settings: MakeSettings, start: Start) -> None:
    service = start(make_settings("local"), command=[*UVICORN, "--http", "httptools"])
    for _ in range(3):
        assert service.client.get("/healthz").status_code == 200
    warnings = [event["event"] for event in service.events if event["level"] == "warning"]
    assert len(warnings) == 1
    assert "routers.connection.protocol:HttpProtocol" in warnings[0]


def test_silent_connections_shut_nobody_out_for_long(
    make_settings: MakeSettings, start: Start
) -> None:
    main_py = shlex.join(processes.main_py())
    service = start(make_settings("local"), command=["sh", "-c", f"ulimit -n 256; exec {main_py}"])
    started = time.monotonic()
    with contextlib.ExitStack() as stack:
        for number in range(300):
            silent = stack.enter_context(socket.create_connection(service.address))
            with contextlib.suppress(ConnectionError):
                silent.sendall([b"", b"GET /hea", b"GET / HTTP/1.1\r\nHost: a\r\n"][number % 3])
        processes.wait_for(lambda: is_served(service))
        assert time.monotonic() - started < DEADLINE
    assert service.client.put("/v1/blobs/a/content", content=b"x" * 100_000).status_code == 201


def is_served(service: Service) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(service.address, 1) as opened:
        opened.sendall(head("GET /readyz", TOKEN))
        return answer_on(opened)[0] == 200
    return False
