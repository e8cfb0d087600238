"""What a confined child can't do, and that each of its fences holds by itself."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.processes import confinement
from app.processes.pool import ChildPool
from tests import children

pytestmark = pytest.mark.slow

FILES = {
    "read the environment", "read its own environment", "read a file", "read a module",
    "list a folder", "make a file", "make a folder", "make a link", "rename a file",
    "remove a file",
}  # fmt: skip
NETWORK = {"connect", "listen"}
PROCESSES = {"signal its parent", "trace its parent", "read its parent's memory"}
ELSE = {
    "stat a file", "change a mode", "open a socket", "start a thread", "run a program", "fork",
}  # fmt: skip
REFUSED = {"EPERM", "EACCES", "RuntimeError"}
"""A thread that can't be had raises an error without a number."""

PROGRAM = """
import json, sys
from app.processes import confinement
from tests import children

getattr(confinement, sys.argv[1])()
print(json.dumps(children.attempts(int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))))
"""


@pytest.fixture
def port() -> Iterator[int]:
    """A port on which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def file(tmp_path: Path) -> str:
    """A file in a folder of its own, as one of the service's."""
    path = tmp_path / "holdall.db"
    path.write_bytes(b"a secret")
    return str(path)


def needs(name: str) -> None:
    if name not in confinement.names():
        pytest.skip(f"this kernel has no {name}")


@pytest.mark.anyio
async def test_a_child_reaches_nothing_but_what_it_was_given(file: str, port: int) -> None:
    needs("seccomp")
    pool = ChildPool(
        workers=1, memory=2**27, seconds=60, name="confined", modules=["tests.children"]
    )
    try:
        found = await pool.run(children.attempts, os.getpid(), file, port)
    finally:
        await pool.aclose()
    assert found.keys() == FILES | NETWORK | PROCESSES | ELSE
    assert {name: how for name, how in found.items() if how not in REFUSED} == {}
    assert [path.name for path in Path(file).parent.iterdir()] == ["holdall.db"]


@pytest.mark.anyio
async def test_a_child_that_may_start_threads_does_nothing_else(file: str, port: int) -> None:
    needs("seccomp")
    pool = ChildPool(
        workers=1,
        memory=2**27,
        seconds=60,
        name="threads",
        modules=["tests.children"],
        threads=True,
    )
    try:
        found = await pool.run(children.attempts, os.getpid(), file, port)
    finally:
        await pool.aclose()
    assert {name for name, how in found.items() if how not in REFUSED} == {"start a thread"}


def attempts(fence: str, file: str, port: int) -> dict[str, str]:
    """Return how the attempts end behind one fence; ``names`` is none."""
    arguments = [PROGRAM, fence, str(os.getpid()), file, str(port)]
    run = subprocess.run([sys.executable, "-c", *arguments], stdout=subprocess.PIPE, check=True)
    found: dict[str, str] = json.loads(run.stdout)
    return found


def test_landlock_holds_alone(file: str, port: int) -> None:
    needs("landlock")
    refused = FILES | PROCESSES - {"signal its parent"}
    version = confinement.landlock_version()
    if version >= 4:
        refused |= NETWORK
    if version >= 6:
        refused |= {"signal its parent"}
    found = attempts("landlock", file, port)
    assert {name: found[name] for name in refused if found[name] not in REFUSED} == {}


def test_seccomp_holds_alone(file: str, port: int) -> None:
    needs("seccomp")
    found = attempts("seccomp", file, port)
    assert {name: how for name, how in found.items() if how not in REFUSED} == {}


def test_without_a_fence_all_would_be_done(file: str, port: int) -> None:
    found = attempts("names", file, port)
    allowed = found.keys() - (set() if os.geteuid() == 0 else PROCESSES)  # the kernel's own rules
    assert {name: found[name] for name in allowed if found[name] in REFUSED} == {}
