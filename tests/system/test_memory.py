"""A process that can't get more memory says so, and serves on when there is some."""

import base64
import resource
from pathlib import Path

import pytest

from tests.system.conftest import MakeSettings, Start
from tests.system.processes import Service, main_py

pytestmark = pytest.mark.slow

MIB = 1024 * 1024


def test_a_request_that_memory_does_not_suffice_for_is_told_to_come_back(
    make_settings: MakeSettings, start: Start
) -> None:
    settings = make_settings("local", MAX_JSON_BLOB=str(64 * MIB))
    service = start(settings, command=main_py())  # its memory is its own
    body = {"id": "large", "data": base64.b64encode(bytes(48 * MIB)).decode()}
    service.client.put("/v1/blobs/small/content", content=b"x").raise_for_status()
    unlimited = resource.prlimit(service.pid, resource.RLIMIT_AS)
    resource.prlimit(service.pid, resource.RLIMIT_AS, (_size(service) + 80 * MIB, unlimited[1]))
    answer = service.client.post("/v1/blobs", json=body)
    assert (answer.status_code, answer.json()["title"]) == (
        503, "The service can't do this right now"
    )  # fmt: skip
    assert int(answer.headers["Retry-After"]) > 0
    assert any(event["event"] == "out of memory" for event in service.events)
    assert service.client.get("/v1/blobs/small/content").content == b"x"
    resource.prlimit(service.pid, resource.RLIMIT_AS, unlimited)
    assert service.client.post("/v1/blobs", json=body).status_code == 201


def _size(service: Service) -> int:
    """Return the bytes of addresses that the process has."""
    pages = Path(f"/proc/{service.pid}/statm").read_text().split()[0]
    return int(pages) * resource.getpagesize()
