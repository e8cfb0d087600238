"""Kills the process at every step of an operation, and starts it again.

Nothing that was acknowledged is lost, nothing is half done, and no byte is left over after the
sweep. The steps are not listed here: `tests.system.crashing` finds them, and the process dies at
the first, then at the second, until it comes through the whole operation alive.
"""

import hashlib
import itertools
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.system import tus
from tests.system.bundles import Bundles
from tests.system.conftest import Inspect, MakeSettings, Settings
from tests.system.inboxes import Inboxes
from tests.system.processes import (
    DEADLINE,
    Fork,
    ForkDied,
    Nursery,
    Service,
    furnish,
    wait_for,
)
from tests.system.stores import Inside
from tests.system.uploads import Upload

MIB = 1024 * 1024
SIZES = {"local": 4 * MIB + 123, "s3": 10 * MIB + 123, "database": 2 * MIB + 123}
"""Of a large body, by storage: three writes to a file, two parts, three rows."""

SHORT = 100_000
SMALL = 1000  # bytes, which live in the database itself
DAY = 24 * 3600
LANES = 2  # services that are killed side by side

DIED = (httpx.TransportError, ForkDied)


@dataclass
class Lane:
    """One service that is killed and started again and again, with what it must hold."""

    nursery: Nursery
    settings: Settings
    folder: Path
    inside: Inside
    size: int
    blobs: dict[str, bytes] = field(default_factory=dict)
    """What was acknowledged or found, by id."""
    possible: dict[str, list[bytes | None]] = field(default_factory=dict)
    """What blobs may be after an operation that was not acknowledged; None: not there."""
    pieces: dict[bytes, list[bytes]] = field(default_factory=dict)
    """How a body is stored that came in pieces."""
    upload: str | None = None
    """The path of an upload that goes on."""
    ahead: int = 0  # seconds that its clock goes ahead by
    _starts: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def boot(self) -> None:
        """Start the service."""
        furnish(self.settings)
        output = self.folder / f"{next(self._starts)}"
        self.process: Fork = self.nursery.fork(self.settings, output, ahead=self.ahead)
        self.service = Service(self.process, output)
        self.service.wait_until_ready()

    @property
    def client(self) -> httpx.Client:
        return self.service.client

    def body(self, size: int | None = None) -> bytes:
        """Make a body that is like no other."""
        seed = hashlib.sha256(f"{self.folder} {next(self._starts)}".encode()).digest()
        length = self.size if size is None else size
        return (seed * (length // len(seed) + 1))[:length]

    def put(self, name: str, data: bytes) -> None:
        """Put a blob; returns only when that is acknowledged."""
        self.possible[name] = [self.blobs.get(name), data]
        answer = self.client.put(f"/v1/blobs/{name}/content", content=data)
        assert answer.is_success, answer.text
        self._settle(name, data)

    def delete(self, name: str) -> None:
        """Delete a blob; returns only when that is acknowledged."""
        self.possible[name] = [self.blobs.get(name), None]
        answer = self.client.delete(f"/v1/blobs/{name}")
        assert answer.status_code == 204, answer.text
        self._settle(name, None)

    def begin(self, name: str, data: bytes) -> None:
        """Begin to upload a blob in two pieces."""
        self.upload = None
        self.possible[name] = [self.blobs.get(name), data]
        self.pieces[data] = [data[: len(data) // 2], data[len(data) // 2 :]]
        self.upload = tus.begin(self.client, "/v1/uploads", len(data), kind="blob", id=name)

    def go_on(self, name: str) -> None:
        """Upload the rest of what was begun, if its client has heard of it."""
        if self.upload is None:
            return
        data = self.possible[name][-1]
        assert data is not None
        state = self.client.head(self.upload, headers=tus.HEADERS)
        assert state.is_success, state.status_code
        offset = int(state.headers["upload-offset"])
        assert offset in {0, len(data) // 2, len(data)}
        while offset < len(data):
            stop = len(data) if offset else len(data) // 2
            tus.append(self.client, self.upload, offset, data[offset:stop])
            offset = stop
        self._settle(name, data)

    def _settle(self, name: str, data: bytes | None) -> None:
        self.possible.pop(name, None)
        if data is None:
            self.blobs.pop(name, None)
        else:
            self.blobs[name] = data

    def pass_time(self) -> None:
        """Let a day pass: every lease and upload ends, every tombstone is due."""
        self.ahead += DAY
        self.process.ask("pass_time", DAY, "sweep", "expiry")

    def find(self) -> None:
        """See that every blob is whole, and one that is known of; find what became of the rest."""
        for name, possible in list(self.possible.items()):
            answer = self.client.get(f"/v1/blobs/{name}/content")
            found = None if answer.status_code == 404 else answer.content
            assert found in possible, f"{answer.status_code}: neither the old state nor the new"
            self._settle(name, found)
        listed = self.client.get("/v1/blobs").json()["items"]
        assert {blob["id"]: blob["size"] for blob in listed} == {
            name: len(data) for name, data in self.blobs.items()
        }
        for name, data in self.blobs.items():
            assert self.client.get(f"/v1/blobs/{name}/content").content == data

    def sweep(self) -> None:
        """Wait until storage, database and quota hold the blobs and nothing else."""
        large = [data for data in self.blobs.values() if len(data) > SMALL]
        rows = [len(self.blobs), len(self.blobs) - len(large), 0]
        usage = [sum(map(len, self.blobs.values())), len(self.blobs)]
        stored = (piece for data in large for piece in self.pieces.get(data, [data]))
        digests = Counter(hashlib.sha256(piece).hexdigest() for piece in stored)
        deadline, pause = time.monotonic() + DEADLINE, 0.005
        while (held := self._held(rows, usage)) != (rows, usage, digests):
            assert time.monotonic() < deadline, f"{held} is not {(rows, usage, digests)}"
            time.sleep(pause)
            pause = min(pause * 1.5, 0.05)

    def _held(
        self, rows: list[int], usage: list[int]
    ) -> tuple[list[int], list[int], Counter[str] | None]:
        """Return what is held; of storage only when the rest is as it should be."""
        found = self.client.get("/v1/accounts/me").json()["usage"]
        held = self.inside.rows(), [found["bytes"], found["objects"]]
        return *held, self.inside.store.contents() if held == (rows, usage) else None

    def check_with_fsck(self) -> None:
        """Have the service's own command find nothing to complain of."""
        output = self.folder / "fsck"
        fsck = self.nursery.fork(self.settings, output, "fsck", "--checksums", ahead=self.ahead)
        assert fsck.wait(DEADLINE) == 0, output.with_suffix(".out").read_text()


class Operation:
    """Something that a service does and is killed amid: ``act``, after ``prepare``."""

    def prepare(self, lane: Lane) -> None:
        """Bring about the state that it begins with."""

    def act(self, lane: Lane) -> None:
        """Do it, up to the end of what it leaves to the sweep."""

    def go_on(self, lane: Lane) -> None:
        """Do what a client does when the service is there again."""


class PutLarge(Operation):
    def prepare(self, lane: Lane) -> None:
        if "large" in lane.blobs:
            lane.delete("large")
            lane.sweep()

    def act(self, lane: Lane) -> None:
        lane.put("large", lane.body())


class ReplaceLarge(Operation):
    """A large blob gives way to one that each storage takes in one piece."""

    def prepare(self, lane: Lane) -> None:
        if "large" not in lane.blobs:
            lane.put("large", lane.body())

    def act(self, lane: Lane) -> None:
        lane.put("large", lane.body(SHORT))
        lane.pass_time()
        lane.sweep()


class DeleteLarge(Operation):
    def prepare(self, lane: Lane) -> None:
        if "large" not in lane.blobs:
            lane.put("large", lane.body())

    def act(self, lane: Lane) -> None:
        lane.delete("large")
        lane.sweep()


class Resume(Operation):
    """A large blob comes in pieces; where the service dies, its client goes on."""

    def prepare(self, lane: Lane) -> None:
        if "large" not in lane.blobs:
            lane.put("large", lane.body())

    def act(self, lane: Lane) -> None:
        lane.begin("large", lane.body())
        lane.go_on("large")

    def go_on(self, lane: Lane) -> None:
        lane.go_on("large")


class Cancel(Operation):
    """An upload is given up when a piece of it has come."""

    def act(self, lane: Lane) -> None:
        lane.begin("given-up", lane.body())
        tus.append(lane.client, str(lane.upload), 0, lane.body(SHORT))
        assert lane.client.delete(str(lane.upload)).status_code == 204
        lane.possible["given-up"] = [None]
        lane.sweep()


class Small(Operation):
    """A small blob is put, replaced and deleted."""

    def prepare(self, lane: Lane) -> None:
        if "small" in lane.blobs:
            lane.delete("small")

    def act(self, lane: Lane) -> None:
        lane.put("small", lane.body(SMALL))
        lane.put("small", lane.body(SMALL))
        lane.delete("small")
        lane.sweep()


class SweepOfTheDead(Operation):
    """An upload's process has died; its lease ends, and the sweep takes away what it left."""

    def prepare(self, lane: Lane) -> None:
        with Upload(lane.service, "dead", lane.size) as upload:
            upload.send(lane.body()[:-1])
            wait_for(lambda: lane.inside.rows()[0] > len(lane.blobs))
            wait_for(lambda: len(lane.inside.store.contents()) > len(lane.blobs))
            lane.service.kill()
        lane.boot()
        lane.find()

    def act(self, lane: Lane) -> None:
        lane.pass_time()
        lane.sweep()


class FillBundle(Operation):
    """A bundle is made, filled and closed; then it goes with all that it owns."""

    def __init__(self) -> None:
        self._sent: dict[Path, dict[str, bytes]] = {}  # by lane

    def act(self, lane: Lane) -> None:
        bundles = self._of(lane)
        self.end(lane, bundles, bundles.fill(lane.body(), lane.body(SMALL)))
        lane.sweep()

    def end(self, lane: Lane, bundles: Bundles, path: str) -> None:
        """Let a bundle end."""
        del lane
        bundles.delete(path)

    def go_on(self, lane: Lane) -> None:
        self._of(lane).find_and_delete()

    def _of(self, lane: Lane) -> Bundles:
        return Bundles(lane.client, self._sent.setdefault(lane.folder, {}))


class ExpireBundle(FillBundle):
    """A bundle expires, and goes in batches."""

    def end(self, lane: Lane, bundles: Bundles, path: str) -> None:
        del bundles, path
        lane.pass_time()


class FillInbox(Operation):
    """Strangers give to an inbox, which then goes with all that has come."""

    def __init__(self) -> None:
        self._sent: dict[Path, dict[str, bytes]] = {}  # by lane

    def act(self, lane: Lane) -> None:
        inboxes = self._of(lane)
        inboxes.fill(lane.body(), lane.body(SMALL))
        inboxes.find_and_delete()
        lane.sweep()

    def go_on(self, lane: Lane) -> None:
        self._of(lane).find_and_delete()

    def _of(self, lane: Lane) -> Inboxes:
        return Inboxes(lane.client, self._sent.setdefault(lane.folder, {}))


OPERATIONS = {
    "put": PutLarge(),
    "replace": ReplaceLarge(),
    "delete": DeleteLarge(),
    "small": Small(),
    "sweep": SweepOfTheDead(),
    "resume": Resume(),
    "cancel": Cancel(),
    "bundle": FillBundle(),
    "expiring bundle": ExpireBundle(),
    "inbox": FillInbox(),
}


def crash_at(lane: Lane, operation: Operation, step: int) -> list[str] | None:
    """Kill the service at a step of an operation, and see that it recovers.

    Returns None, or the steps that were taken when the operation has fewer of them.
    """
    operation.prepare(lane)
    lane.process.ask("arm", step)
    steps: list[str] | None = None
    try:
        operation.act(lane)
        steps = lane.process.ask("disarm")
    except DIED:
        assert lane.service.wait() == -signal.SIGKILL
        lane.boot()
        operation.go_on(lane)
    lane.find()
    lane.pass_time()
    lane.sweep()
    return steps


def crash_at_each_step(lane: Lane, operation: Operation, first: int) -> list[str]:
    """Crash at every ``LANES``-th step from ``first`` on; returns the steps there were."""
    lane.boot()
    steps = None
    with ExitStack() as stack:
        stack.callback(lambda: lane.service.kill())  # noqa: PLW0108 - whichever runs then
        for step in itertools.count(first, LANES):
            try:
                steps = crash_at(lane, operation, step)
            except Exception as error:
                error.add_note(f"at step {step}\n{lane.service.log}")
                raise
            if steps is not None:
                lane.check_with_fsck()  # a day ahead, so that every crash's remains would count
                return steps
    raise AssertionError("unreachable")


def kill_at_each_step(
    storage: str, operation: str, *, nursery: Nursery, make_settings: MakeSettings,
    inspect: Inspect, folder: Path,
) -> None:  # fmt: skip
    """Kill services at every step of an operation; see that nothing is lost or left."""

    def make_lane(number: int) -> Lane:
        settings = make_settings(storage)
        lane = folder / f"lane{number}"
        lane.mkdir()
        return Lane(nursery, settings, lane, inspect(settings), SIZES[storage])

    with ThreadPoolExecutor(LANES) as pool:
        futures = [
            pool.submit(crash_at_each_step, make_lane(first), OPERATIONS[operation], first)
            for first in range(1, LANES + 1)
        ]
    for future in futures:
        assert any("the commit" in step for step in future.result())
