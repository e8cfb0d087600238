"""The process is killed at every step of a move from disk to S3, and of the way back.

Steps are those of `tests.system.crashing`, from the start on: marks, copies, the end of the move.
Between two crashes, the move is finished and what it has moved is replaced, so that the next one,
in the other direction, has as much to do.
"""

import hashlib
import itertools
import re
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.servers import S3Server
from tests.system.conftest import MakeSettings, Settings, bucket_of_its_own
from tests.system.lanes import DIED
from tests.system.processes import DEADLINE, Fork, Nursery, Service, furnish, wait_for
from tests.system.stores import Bucket, LocalDisk, Store

MIB = 1024 * 1024
SIZES = {"short": 100_000, "large": 9 * MIB + 123, "doomed": 200_000}
_NONE_LEFT = re.compile(r'^holdall_move_left_objects\{previous="\w+"\} 0\.0$', re.MULTILINE)
HOURS = 2 * 3600  # by which the clock is ahead of the last start's: leases and pauses are over


class House:
    """A service that is killed and started again, and what it must hold."""

    def __init__(self, nursery: Nursery, base: Settings, bucket: Settings, folder: Path) -> None:
        former = {f"PREVIOUS_{name}": value for name, value in bucket.items()}
        to_s3 = base | bucket | {"ACTIVE_STORAGE": "s3", "PREVIOUS_STORAGE": "local"}
        to_disk = base | former | {"PREVIOUS_STORAGE": "s3"}
        self.directions = [to_s3, to_disk]
        self.stores: dict[str, Store] = {"s3": Bucket(bucket), "local": LocalDisk(base)}
        self.blobs: dict[str, bytes] = {}
        self._nursery = nursery
        self._folder = folder
        self._starts = itertools.count(1)

    def boot(self, settings: Settings, *arguments: str, fatal: int = 0) -> tuple[Service, Fork]:
        number = next(self._starts)
        output = self._folder / f"start{number}"
        ahead = number * HOURS
        fork = self._nursery.fork(settings, output, *arguments, ahead=ahead, fatal=fatal)
        return Service(fork, output), fork

    def fill(self, service: Service) -> None:
        """Put other bytes in the place of all blobs."""
        for name, size in SIZES.items():
            seed = hashlib.sha256(f"{name} {next(self._starts)}".encode()).digest()
            data = self.blobs[name] = (seed * (size // len(seed) + 1))[:size]
            answer = service.client.put(f"/v1/blobs/{name}/content", content=data)
            assert answer.is_success, answer.text

    def crash_at(self, settings: Settings, step: int) -> list[str] | None:
        """Kill a move at a step; returns the steps there were if there are fewer."""
        service, fork = self.boot(settings, fatal=step)
        try:
            wait_for(lambda: "Holdall serves" in service.printed or fork.poll() is not None)
            if fork.poll() is None:
                service.client.delete("/v1/blobs/doomed")
                wait_for(lambda: _is_over(service))
                steps: list[str] = fork.ask("disarm")
                service.kill()
                return steps
        except DIED:
            pass
        assert service.wait() == -signal.SIGKILL
        return None

    def recover(self, settings: Settings) -> None:
        """Start again, and see that the move ends, with everything whole and nothing left over."""
        service, _ = self.boot(settings)
        try:
            service.wait_until_ready()
            assert service.client.delete("/v1/blobs/doomed").status_code in {204, 404}
            self.blobs.pop("doomed", None)
            wait_for(lambda: _is_over(service))
            for name, data in self.blobs.items():
                assert service.client.get(f"/v1/blobs/{name}/content").content == data, name
            assert service.client.get("/v1/blobs/doomed/content").status_code == 404
            wait_for(lambda: self._new_store(settings).contents() == self._expected())
            told, moved = self.boot(settings, "moved")
            assert moved.wait(DEADLINE) == 0, told.printed + told.log
            self.fill(service)
        except BaseException as error:
            error.add_note(service.log)
            raise
        finally:
            service.stop()

    def _new_store(self, settings: Settings) -> Store:
        return self.stores[settings.get("ACTIVE_STORAGE", "local")]

    def _expected(self) -> Counter[str]:
        return Counter(hashlib.sha256(data).hexdigest() for data in self.blobs.values())


def _is_over(service: Service) -> bool:
    return bool(_NONE_LEFT.search(service.client.get("/metrics").text))


@pytest.mark.slow
@pytest.mark.parametrize("first", [1, 2])
def test_nothing_is_lost_or_left_when_a_move_is_killed_at_any_step(
    make_settings: MakeSettings, s3_server: S3Server, nursery: Nursery, tmp_path: Path, first: int
) -> None:
    """Odd steps of the way there and even ones of the way back; or the other way round."""
    base = make_settings("local")
    furnish(base)
    house = House(nursery, base, bucket_of_its_own(s3_server), tmp_path)
    service, _ = house.boot(base)
    service.wait_until_ready()
    house.fill(service)
    assert service.stop() == 0
    unharmed = 0
    for step, settings in zip(
        itertools.count(first), itertools.cycle(house.directions), strict=False
    ):
        steps = house.crash_at(settings, step)
        try:
            house.recover(settings)
        except BaseException as error:
            error.add_note(f"at step {step}: {steps}")
            raise
        unharmed = 0 if steps is None else unharmed + 1
        if unharmed == 2:  # in both directions there are no more
            break
    alone = {name: value for name, value in settings.items() if "PREVIOUS" not in name}
    told, fsck = house.boot(alone, "fsck", "--checksums")
    assert fsck.wait(DEADLINE) == 0, told.printed + told.log
