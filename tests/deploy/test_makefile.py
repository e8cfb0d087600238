"""`make` says what it can do, and finds a Python that is new enough, and stops cleanly."""

import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.deadline import DEADLINE
from tests.deploy import ROOT
from tests.servers import free_ports


def _make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", *arguments],
        cwd=folder,
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def _fake_python(folder: Path, name: str, *, suits: bool) -> None:
    """Write what passes for a Python: asked for an environment, it makes an empty one."""
    program = folder / "bin" / name
    program.parent.mkdir(exist_ok=True)
    program.write_text(
        "#!/bin/sh\n"
        f'[ "$1" != -c ] || exit {0 if suits else 1}\n'
        f'[ "$1" != --version ] || echo {name}\n'
        f'[ "$2" != venv ] || {{ mkdir -p "$4/bin"; echo {name} > "$4/bin/python"; }}\n'
    )
    program.chmod(0o755)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty folder with the project's Makefile."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    return tmp_path


def test_help_lists_every_target(folder: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    listed = re.findall(r"^make (\S+) +\S", _make(folder).stdout, re.MULTILINE)
    assert sorted(listed) == sorted(phony[1].split())


def test_the_environment_is_made_with_the_first_python_that_suits(folder: Path) -> None:
    _fake_python(folder, "old", suits=False)
    _fake_python(folder, "good", suits=True)
    _fake_python(folder, "better", suits=True)
    names = f"{folder}/bin/missing {folder}/bin/old {folder}/bin/good {folder}/bin/better"
    done = _make(folder, ".venv/bin/python", f"PYTHON_NAMES={names}")
    assert done.returncode == 0, done.stdout
    assert (folder / ".venv/bin/python").read_text() == "good\n"


def test_without_a_python_that_suits_it_says_what_to_install(folder: Path) -> None:
    _fake_python(folder, "old", suits=False)
    done = _make(folder, ".venv/bin/python", f"PYTHON={folder}/bin/old")
    assert done.returncode != 0
    assert "No Python 3.11 or newer with venv" in done.stdout
    assert "python3-venv" in done.stdout


def _is_healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def test_make_run_serves_and_stops_without_an_error_on_ctrl_c(folder: Path) -> None:
    for name in ("requirements.txt", "requirements-build.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    (folder / ".venv/bin").mkdir(parents=True)
    (folder / ".venv/bin/python").touch()
    command = folder / ".venv/bin/holdall"  # as pip writes it
    command.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.append({str(ROOT)!r})\n"
        "from holdall import main\nsys.exit(main())\n"
    )
    command.chmod(0o755)
    (folder / ".venv/runtime.stamp").touch()
    (port,) = free_ports(1)
    with (folder / "output").open("wb") as output:
        server = subprocess.Popen(
            ["make", "run"],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "PORT": str(port), "REGISTRATION": "closed"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        deadline = time.monotonic() + DEADLINE
        while not _is_healthy(port):
            assert server.poll() is None, (folder / "output").read_text()
            assert time.monotonic() < deadline, (folder / "output").read_text()
            time.sleep(0.02)
        os.killpg(server.pid, signal.SIGINT)  # what a terminal does
        server.wait(DEADLINE)
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
    printed = (folder / "output").read_text()
    assert f":{port}" in printed
    assert "Make an administrator: .venv/bin/holdall create-admin NAME\n" in printed
    assert "***" not in printed
    assert "Traceback" not in printed
