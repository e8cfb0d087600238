"""A data folder on a disk of its own that runs full: a small tmpfs, in a namespace of its own."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.system.conftest import MakeSettings, Start
from tests.system.processes import PROJECT, Service, wait_for
from tests.system.stores import Inside, LocalDisk

MIB = 1024 * 1024
LARGE = bytes(range(256)) * 4096 * 12  # 12 MiB, twice which the disk does not hold
SMALL = b"s" * 10_000
MOUNT = 'mount -t tmpfs -o size=20m,mode=700 tmpfs "$DATA_DIR" && exec "$@"'
QUERY = """
import sqlite3, sys
print(*sqlite3.connect(sys.argv[1], uri=True, timeout=10).execute(sys.argv[2]).fetchone())
"""

pytestmark = pytest.mark.skipif(
    subprocess.run(["unshare", "-Urm", "true"], check=False).returncode != 0,
    reason="needs user and mount namespaces",
)


@pytest.fixture
def service(make_settings: MakeSettings, start: Start) -> Service:
    settings = make_settings("local")
    Path(settings["DATA_DIR"]).mkdir()
    program = [sys.executable, str(PROJECT / "main.py")]
    return start(settings, command=["unshare", "-Urm", "sh", "-c", MOUNT, "sh", *program])


@pytest.fixture
def folder(service: Service, tmp_path: Path) -> Path:
    """The data folder, as the service's namespace has it."""
    return Path(f"/proc/{service.pid}/root{tmp_path}/data1")


class RowsInside:
    """The tables in a SQLite file, which has to be opened within the namespace."""

    def __init__(self, service: Service, path: Path) -> None:
        self._enter = ["nsenter", "-U", "-m", "--preserve-credentials", "-t", str(service.pid)]
        self._path = path

    def query(self, sql: str) -> list[int]:
        command = [*self._enter, sys.executable, "-c", QUERY, f"file:{self._path}?mode=ro", sql]
        line = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        return [int(number) for number in line.split()]


@pytest.fixture
def inside(service: Service, folder: Path, tmp_path: Path) -> Inside:
    rows = RowsInside(service, tmp_path / "data1" / "holdall.db")
    return Inside(LocalDisk({"DATA_DIR": str(folder)}), rows)


def fill(folder: Path) -> Path:
    """Take all the room there is; returns the file that does."""
    path = folder / "filler"
    with path.open("wb", buffering=0) as file:
        for size in (MIB, 4096, 1):
            try:
                while file.write(bytes(size)):
                    pass
            except OSError:
                continue
    return path


@pytest.mark.parametrize("announced", [True, False])
def test_a_large_object_that_finds_no_room_leaves_nothing(
    service: Service, inside: Inside, announced: bool
) -> None:
    def put(name: str) -> httpx.Response:
        def chunks() -> Iterator[bytes]:
            yield from (LARGE[start : start + MIB] for start in range(0, len(LARGE), MIB))

        content = LARGE if announced else chunks()
        return service.client.put(f"/v1/blobs/{name}/content", content=content)

    assert put("first").status_code == 201
    refused = put("second")
    assert refused.status_code == 507
    assert refused.headers["content-type"] == "application/problem+json"
    wait_for(lambda: inside.rows() == [1, 0, 0])
    assert inside.store.contents().total() == 1
    assert service.client.get("/v1/accounts/me").json()["usage"]["bytes"] == len(LARGE)
    assert service.client.get("/v1/blobs/first/content").content == LARGE
    assert service.client.delete("/v1/blobs/first").status_code == 204
    wait_for(lambda: inside.rows() == [0, 0, 0])
    assert put("second").status_code == 201


def test_a_database_without_room_serves_what_it_has_and_goes_on_when_there_is_some(
    service: Service, folder: Path, inside: Inside
) -> None:
    def put(number: int) -> int:
        return service.client.put(f"/v1/blobs/{number}/content", content=SMALL).status_code

    assert put(0) == 201
    filler = fill(folder)
    answers: list[int] = []
    while 507 not in answers:  # there may be room within its files
        assert len(answers) < 2000
        answers.append(put(len(answers)))
    acknowledged = [number for number, answer in enumerate(answers) if answer in {200, 201}]
    assert set(answers) <= {200, 201, 507}
    for number in acknowledged or [0]:
        assert service.client.get(f"/v1/blobs/{number}/content").content == SMALL
    assert service.client.get("/readyz").status_code == 200
    filler.unlink()
    assert put(len(answers)) == 201
    count = len({0, len(answers), *acknowledged})
    assert service.client.get("/v1/accounts/me").json()["usage"]["objects"] == count
    assert inside.rows() == [count, count, 0]
