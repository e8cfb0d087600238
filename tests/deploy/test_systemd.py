"""The unit of systemd: systemd finds nothing wrong with it, and the service lives with its limits.

Skipped where there is no systemd.
"""

import ctypes
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.processes import confinement
from tests.deploy import ROOT, system_calls
from tests.minidump_files import Minidump
from tests.pictures import encoded, quarters
from tests.system import processes
from tests.system.processes import Service, wait_for

UNIT = ROOT / "deploy" / "holdall.service"
COMMAND = "/opt/holdall/.venv/bin/holdall"
EXPOSURE = 15
"""What systemd may give the unit at most, in tenths: from 0, safe, to 100; version 252 gives 12."""

pytestmark = [
    pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed"),
    pytest.mark.slow,
]


def _analyze(*arguments: str | Path) -> str:
    """Run a command that must succeed, and return what it prints."""
    done = subprocess.run(
        ["systemd-analyze", "--no-pager", *arguments],
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    text = UNIT.read_text()
    assert f"ExecStart={COMMAND} serve\n" in text
    unit = tmp_path / UNIT.name
    unit.write_text(text.replace(COMMAND, sys.executable))  # for one that exists
    assert _analyze("verify", "--man=no", unit) == ""


def test_it_is_as_little_exposed_as_it_was() -> None:
    _analyze("security", "--offline=true", f"--threshold={EXPOSURE}", UNIT)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One with the system calls of the unit alone."""
    try:
        ctypes.CDLL(system_calls.LIBRARY)
    except OSError:
        pytest.skip("libseccomp is not installed")
    folder = tmp_path_factory.mktemp("service")
    command = system_calls.command(system_calls.of_unit(UNIT), processes.main_py())
    settings = {"DATA_DIR": str(folder / "data")}
    with processes.running(settings, folder, command) as service:
        yield service


def test_it_serves_with_the_system_calls_of_the_unit(service: Service) -> None:
    client = service.client
    large = bytes(range(256)) * 40_000
    for content in (b"small", large):
        client.put("/v1/blobs/a/content", content=content).raise_for_status()
        assert client.get("/v1/blobs/a/content").content == content
    client.delete("/v1/blobs/a").raise_for_status()
    assert "process_resident_memory_bytes" in client.get("/metrics").text


def test_its_children_confine_themselves_under_it_as_they_do_without(service: Service) -> None:
    client = service.client
    decoders = client.get("/readyz").json()["checks"]["decoders"]
    assert decoders["status"] == "ok"
    assert decoders["confinement"] == confinement.names()
    for kind in ("JPEG", "PNG", "WEBP"):
        files = {"img": (f"a.{kind}", encoded(quarters(), kind))}
        answer = client.post("/v1/pictures", data={"name": kind}, files=files)
        assert answer.status_code == 201, answer.text
    files = {"file": ("crash.dmp", Minidump().write())}
    dump = client.post("/v1/dumps", files=files).json()
    wait_for(lambda: client.get(f"/v1/dumps/{dump['id']}").json()["report_state"] == "read")
