"""The secrets of a process are its own: other processes of its user can't read them."""

import subprocess
import sys

import pytest

from tests.system.conftest import MakeSettings, Start
from tests.system.processes import PROJECT, SERVICE_TOKEN

pytestmark = pytest.mark.slow

# as an ordinary user does, also where the tests are root's
RUN = """
import ctypes, os, sys

library = ctypes.CDLL(None)
for capability in range(64):
    library.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP
os.execvp(sys.argv[1], sys.argv[1:])
"""
UNPRIVILEGED = [sys.executable, "-c", RUN]


@pytest.mark.parametrize("server", ["main.py", "uvicorn"])
def test_its_environment_is_read_by_nobody_else(
    make_settings: MakeSettings, start: Start, server: str
) -> None:
    command = [sys.executable, str(PROJECT / "main.py")]
    if server == "uvicorn":
        command = [sys.executable, "-m", "uvicorn", "--app-dir", str(PROJECT), "--port", "0"]
        command += ["main:app"]
    service = start(make_settings("local"), command=[*UNPRIVILEGED, *command])
    found = read_environment(service.pid)
    assert found.returncode != 0
    assert SERVICE_TOKEN not in found.stdout


def test_that_of_another_process_could_be_read() -> None:
    """It is the service's own doing that its isn't."""
    command = [*UNPRIVILEGED, "sh", "-c", "echo started; read line"]
    with subprocess.Popen(
        command, env={"PATH": "/usr/bin:/bin", "SECRET_KEY": SERVICE_TOKEN},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as other:  # fmt: skip
        assert other.stdout is not None
        assert other.stdout.readline() == b"started\n"
        found = read_environment(other.pid)
        other.communicate(b"\n")
    assert SERVICE_TOKEN in found.stdout


def read_environment(pid: int) -> "subprocess.CompletedProcess[str]":
    command = [*UNPRIVILEGED, "cat", f"/proc/{pid}/environ"]
    return subprocess.run(command, capture_output=True, text=True, check=False)
