"""Backups of a service that is written to without pause, each restored and compared."""

import hashlib
import random
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests import plain_http
from tests.system.conftest import MakeSettings, Run, Settings, Start
from tests.system.processes import SERVICE_TOKEN, Service

pytestmark = pytest.mark.slow

BACKUPS = 5
NAMES = 6  # of blobs, a writer
WRITERS = 3
SIZES = (500, 5_000, 100_000, 400_000)  # of which two live in rows, and two in the store

State = dict[str, str]
"""The SHA-256 of blobs by their names."""


@dataclass
class Writer:
    """Puts, replaces and deletes blobs of its own, one after the other."""

    number: int
    begun: list[tuple[str, str | None]] = field(default_factory=list)
    """Names, with the SHA-256 of what was put there; None: deleted."""
    acknowledged: int = 0
    error: BaseException | None = None

    def run(self, url: str, stop: threading.Event) -> None:
        headers = {"Authorization": f"Bearer {SERVICE_TOKEN}"}
        source = random.Random(self.number)
        try:
            with plain_http.Client(base_url=url, headers=headers) as client:
                while not stop.is_set():
                    self._write(client, source)
        except BaseException as error:  # noqa: BLE001 - raised by the test
            self.error = error

    def _write(self, client: httpx.Client, source: random.Random) -> None:
        name = f"{self.number}-{source.randrange(NAMES)}"
        if name in self.state(len(self.begun)) and source.random() < 0.25:
            self.begun.append((name, None))
            assert client.delete(f"/v1/blobs/{name}").status_code == 204
        else:
            data = source.randbytes(source.choice(SIZES))
            self.begun.append((name, hashlib.sha256(data).hexdigest()))
            assert client.put(f"/v1/blobs/{name}/content", content=data).is_success
        self.acknowledged = len(self.begun)

    def state(self, count: int) -> State:
        """Return what there is after so many of its writes."""
        last = dict(self.begun[:count])
        return {name: digest for name, digest in last.items() if digest is not None}


@contextmanager
def writing(service: Service) -> Iterator[list[Writer]]:
    """Let writers run while the context lasts."""
    writers = [Writer(number) for number in range(WRITERS)]
    stop = threading.Event()
    threads = [threading.Thread(target=w.run, args=(service.url, stop)) for w in writers]
    with ExitStack() as stack:
        for thread in threads:
            thread.start()
            stack.callback(thread.join)
        stack.callback(stop.set)
        yield writers
    for writer in writers:
        if writer.error is not None:
            raise writer.error


def state_in(data: Path) -> State:
    """Return the blobs in a restored database."""
    with closing(sqlite3.connect(data / "holdall.db")) as database:
        rows = database.execute(
            "SELECT name, hex(sha256) FROM blobs JOIN objects ON objects.id = object_id"
        )
        return {name: digest.lower() for name, digest in rows}


@pytest.mark.parametrize("storage", ["local", "scaled"])
def test_each_backup_is_what_there_was_at_one_moment(
    make_settings: MakeSettings, start: Start, run: Run, tmp_path: Path, storage: str
) -> None:
    """What each writer had done by then is there, all up to some write of it, and nothing else.

    That write is not before the last one that was acknowledged when the backup began.
    """
    settings = make_settings(storage)
    (target := tmp_path / "backups").mkdir()
    with writing(start(settings)) as writers:
        for number in range(BACKUPS):
            earliest = [writer.acknowledged for writer in writers]
            made = run(settings, "backup", str(target))
            assert made.returncode == 0, made.stdout + made.stderr
            latest = [len(writer.begun) for writer in writers]
            data = tmp_path / f"restored{number}"
            found = restored(run, settings, target, data)
            for writer, first, last in zip(writers, earliest, latest, strict=True):
                own = {n: d for n, d in found.items() if n.startswith(f"{writer.number}-")}
                assert own in [writer.state(count) for count in range(first, last + 1)]
    assert all(writer.acknowledged > 20 for writer in writers)
    verified = run(settings, "verify", str(target))
    assert verified.stdout.startswith(f"{BACKUPS} snapshots, "), verified.stdout


def restored(run: Run, settings: Settings, target: Path, data: Path) -> State:
    """Restore the newest snapshot onto SQLite and a disk; returns the blobs that are there."""
    there = {"DATA_DIR": str(data), "SIGNING_KEY": settings.get("SIGNING_KEY", "")}
    for arguments in (("restore", str(target)), ("fsck", "--checksums")):
        done = run(there, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
    return state_in(data)
