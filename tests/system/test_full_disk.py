"""A data folder on a disk of its own that runs full: a small tmpfs, in a namespace of its own."""

import itertools
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.system.conftest import MakeSettings, Settings, Start
from tests.system.processes import PROJECT, Service, wait_for
from tests.system.stores import Inside, LocalDisk

MIB = 1024 * 1024
LARGE = bytes(range(256)) * 4096 * 12  # 12 MiB, twice which the disk does not hold
SMALL = b"s" * 10_000
PASSWORD = "correct horse battery"
MOUNT = 'mount -t tmpfs -o "size=$1,mode=700" tmpfs "$2" && echo mounted && exec cat'
QUERY = """
import sqlite3, sys
print(*sqlite3.connect(sys.argv[1], uri=True, timeout=10).execute(sys.argv[2]).fetchone())
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        subprocess.run(["unshare", "-Urm", "true"], check=False).returncode != 0,
        reason="needs user and mount namespaces",
    ),
]


class Disk:
    """A namespace with a disk of its own, which outlives the processes that are started there."""

    def __init__(self, pid: int, folder: Path) -> None:
        self.enter = ["nsenter", "-U", "-m", "--preserve-credentials", "-t", str(pid)]
        self._mounted_at = folder
        self.folder = Path(f"/proc/{pid}/root{folder}")
        """The disk's folder, as seen from here."""

    @property
    def program(self) -> list[str]:
        """The command line of the service there."""
        return [*self.enter, sys.executable, str(PROJECT / "main.py")]

    def query(self, sql: str) -> list[int]:
        """Read numbers from the SQLite file, which has to be opened within the namespace."""
        path = f"file:{self._mounted_at / 'holdall.db'}?mode=ro"
        command = [*self.enter, sys.executable, "-c", QUERY, path, sql]
        line = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        return [int(number) for number in line.split()]


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[Disk]:
    folder.mkdir()
    command = ["unshare", "-Urm", "sh", "-c", MOUNT, "sh", size, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"mounted\n"
        yield Disk(holder.pid, folder)
        holder.stdin.close()


@pytest.fixture
def settings(make_settings: MakeSettings) -> Settings:
    return make_settings("local", ADMIN_USERNAME="ada", ADMIN_PASSWORD=PASSWORD)


@pytest.fixture
def disk(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Disk]:
    """A disk of 20 MiB, or as large as the test's parameter says."""
    with mounted(Path(settings["DATA_DIR"]), getattr(request, "param", "20m")) as disk:
        yield disk


@pytest.fixture
def service(settings: Settings, disk: Disk, start: Start) -> Service:
    return start(settings, command=disk.program)


@pytest.fixture
def inside(disk: Disk) -> Inside:
    return Inside(LocalDisk({"DATA_DIR": str(disk.folder)}), disk)


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
    service: Service, disk: Disk, inside: Inside
) -> None:
    def put(number: int) -> int:
        return service.client.put(f"/v1/blobs/{number}/content", content=SMALL).status_code

    assert put(0) == 201
    filler = fill(disk.folder)
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


class Filling:
    """Uploads from several clients at once, until there is no room left for one."""

    def __init__(self, service: Service, name: str, smallest: int, largest: int) -> None:
        self._service = service
        self._name = name
        self._sizes = (smallest, largest)
        self._numbers = itertools.count(1)
        self._full = threading.Event()
        self.stored: list[str] = []

    def run(self, clients: int) -> list[str]:
        """Upload; returns the ids of what was acknowledged."""
        with ThreadPoolExecutor(clients) as pool:
            for done in [pool.submit(self._upload_until_full) for _ in range(clients)]:
                done.result()
        return self.stored

    def _upload_until_full(self) -> None:
        while not self._full.is_set():
            blob = f"{self._name}{next(self._numbers)}"
            data = random.randbytes(random.randint(*self._sizes))
            answer = self._service.client.put(f"/v1/blobs/{blob}/content", content=data)
            if answer.status_code == 507:
                self._full.set()
            else:
                assert answer.status_code == 201, answer.text
                self.stored.append(blob)


@pytest.mark.parametrize("disk", ["64m"], indirect=True)
def test_a_disk_that_uploads_fill_leaves_room_to_sign_in_and_to_delete(
    service: Service, settings: Settings, disk: Disk, start: Start, inside: Inside
) -> None:
    stored = Filling(service, "large", MIB, 4 * MIB).run(clients=8)
    stored += Filling(service, "small", 1, 16_000).run(clients=8)
    form = {"username": "ada", "password": PASSWORD}
    assert service.client.post("/v1/auth/token", data=form).status_code == 200
    assert service.client.delete(f"/v1/blobs/{stored.pop()}").status_code == 204
    for end in (service.stop, service.kill):
        end()
        service = start(settings, command=disk.program)
        assert service.client.post("/v1/auth/token", data=form).status_code == 200
        assert service.client.delete(f"/v1/blobs/{stored.pop()}").status_code == 204
    for blob in stored:
        assert service.client.delete(f"/v1/blobs/{blob}").status_code == 204
    wait_for(lambda: inside.rows() == [0, 0, 0])
    for name, size in (("large", 3 * MIB), ("small", 10_000)):
        content = bytes(size)
        assert service.client.put(f"/v1/blobs/{name}/content", content=content).status_code == 201
