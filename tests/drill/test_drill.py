"""The drill runs, finds nothing lost, and leaves nothing behind."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from drill.uploads.rig import PROFILES
from tests.deadline import DEADLINE
from tests.deploy import ROOT

pytestmark = pytest.mark.slow

LOSSES = 7


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder for all that it writes, whose name is short enough for PostgreSQL's socket."""
    with TemporaryDirectory(prefix="d-") as folder:
        yield Path(folder)


def start(temporary: Path, *arguments: str, drill: str = "drill") -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", drill, *arguments],
        cwd=ROOT,
        env={"PATH": "/usr/sbin:/usr/bin:/bin", "TMPDIR": str(temporary)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_nothing_that_was_acknowledged_is_lost(temporary: Path) -> None:
    drill = start(temporary, "--seconds", "1")
    printed, told = drill.communicate(timeout=8 * DEADLINE)
    assert drill.returncode == 0, printed + told
    assert printed.count("\n| ") == LOSSES + 2, printed
    assert "never" not in printed
    assert not [*temporary.iterdir()]


def test_ctrl_c_stops_every_server(temporary: Path) -> None:
    drill = start(temporary, "--seconds", "600", "nginx")
    assert drill.stderr is not None
    assert "nginx" in drill.stderr.readline()  # it is killed now
    drill.send_signal(signal.SIGINT)
    drill.communicate(timeout=DEADLINE)
    assert drill.returncode == 130
    assert not [*temporary.iterdir()]
    listed = subprocess.run(["ps", "-eo", "args"], check=True, capture_output=True, text=True)
    assert str(temporary) not in listed.stdout


def test_uploads_end_whole_on_every_database_and_store(temporary: Path) -> None:
    sizes = ("--uploads", "5", "--largest", "4", "--kills", "3")
    drill = start(temporary, *sizes, drill="drill.uploads")
    printed, told = drill.communicate(timeout=8 * DEADLINE)
    assert drill.returncode == 0, printed + told
    rows = [line.split("|") for line in printed.splitlines() if line.startswith("| ")][2:]
    assert [row[2].strip() for row in rows] == ["5"] * len(PROFILES)
    kills, cuts = (sum(int(row[column]) for row in rows) for column in (5, 6))
    assert kills > 0
    assert cuts > 0
    assert not [*temporary.iterdir()]
