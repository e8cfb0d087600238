"""The process is killed at every step of every operation, with its objects on local disk."""

import itertools
import shutil
import signal
from pathlib import Path

import pytest

from tests.system.conftest import Inspect, MakeSettings, Settings
from tests.system.lanes import (
    DIED,
    OPERATIONS,
    SHORT,
    SIZES,
    Lane,
    kill_at_each_step,
)
from tests.system.processes import DEADLINE, Nursery, Service

EVERY_TIME = {"put"}
"""Operations that the ordinary run tries: each takes seconds, and `make test-slow` tries all."""

STEPS_OF_A_START = 8  # at least: two marks in the store, two transactions


@pytest.mark.parametrize(
    "operation",
    [pytest.param(o, marks=() if o in EVERY_TIME else pytest.mark.slow) for o in OPERATIONS],
)
def test_nothing_is_lost_or_left_when_killed_at_any_step(
    make_settings: MakeSettings,
    inspect: Inspect,
    nursery: Nursery,
    tmp_path: Path,
    operation: str,
) -> None:
    kill_at_each_step(
        "local",
        operation,
        nursery=nursery,
        make_settings=make_settings,
        inspect=inspect,
        folder=tmp_path,
    )


@pytest.mark.slow
def test_a_first_start_that_was_killed_at_any_step_is_made_good_by_the_next(
    make_settings: MakeSettings, inspect: Inspect, nursery: Nursery, tmp_path: Path
) -> None:
    """On local disk alone: what a first start does is the same on every storage, and takes long."""
    migrated = make_settings("local")  # once, as it takes longest and is one transaction
    assert nursery.fork(migrated, tmp_path / "migrate", "migrate").wait(DEADLINE) == 0

    def fresh() -> Settings:
        settings = make_settings("local")
        shutil.copytree(migrated["DATA_DIR"], settings["DATA_DIR"])
        return settings

    for step in itertools.count(1):
        settings = fresh()
        dying = tmp_path / "dying"
        process = nursery.fork(settings, dying, fatal=step)
        service = Service(process, dying)
        try:
            service.wait_until_ready()
        except (AssertionError, *DIED):
            assert service.wait() == -signal.SIGKILL, service.log
        else:
            service.kill()
            assert step > STEPS_OF_A_START
            return
        lane = Lane(nursery, settings, tmp_path, inspect(settings), SIZES["local"])
        lane.boot()
        try:
            lane.put("large", lane.body(SHORT))
            lane.sweep()
        finally:
            lane.service.kill()
