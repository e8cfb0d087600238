"""The process is killed at every step of every operation, with its objects on S3.

Small objects touch PostgreSQL alone, as they do where objects are kept there too."""

from pathlib import Path

import pytest

from tests.system.conftest import Inspect, MakeSettings
from tests.system.lanes import OPERATIONS, kill_at_each_step
from tests.system.processes import Nursery

pytestmark = pytest.mark.slow


@pytest.mark.slow
@pytest.mark.parametrize("operation", [name for name in OPERATIONS if name != "small"])
def test_nothing_is_lost_or_left_when_killed_at_any_step(
    make_settings: MakeSettings,
    inspect: Inspect,
    nursery: Nursery,
    tmp_path: Path,
    operation: str,
) -> None:
    kill_at_each_step(
        "s3",
        operation,
        nursery=nursery,
        make_settings=make_settings,
        inspect=inspect,
        folder=tmp_path,
    )
