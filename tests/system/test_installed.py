"""`pip install .`: the command works where there is no checkout, with all that it needs."""

import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests import plain_http
from tests.minidump_files import Minidump
from tests.system import processes
from tests.system.processes import PROJECT, wait_for

pytestmark = pytest.mark.slow  # a package is built, installed and compiled

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the package into a fresh environment, which finds its requirements in ours."""
    folder = tmp_path_factory.mktemp("installed") / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    # what is installed there, but not what its own .pth files point to: this checkout
    (packages / "ours.pth").write_text(sysconfig.get_path("purelib"))
    pip = [sys.executable, "-m", "pip", "--python", str(folder), "--disable-pip-version-check"]
    options = ("--quiet", "--no-index", "--no-deps", "--no-build-isolation")
    subprocess.run([*pip, "install", *options, str(PROJECT)], check=True)
    return folder


def test_it_takes_one_name_among_the_packages(environment: Path) -> None:
    (packages,) = environment.glob("lib/python*/site-packages")
    names = {path.name.partition("-")[0] for path in packages.iterdir()} - {"ours.pth"}
    assert names == {"holdall"}


def test_it_serves_pages_reads_dumps_and_makes_administrators(
    environment: Path, tmp_path: Path
) -> None:
    command = environment / "bin/holdall"
    settings = {"DATA_DIR": str(tmp_path / "data"), "REGISTRATION": "closed"}
    made = processes.run(
        settings, tmp_path, str(command), "create-admin", "boss", given=f"{PASSWORD}\n"
    )
    assert made.stdout == "boss is an administrator now\n", made.stderr
    with processes.running(settings, tmp_path, [command]) as service:
        client = service.client
        page = plain_http.get(f"{service.url}/account/login")
        assert page.status_code == 200
        files = re.findall(r'(?:href|src)="(/[^"]*static/[^"]+)"', page.text)
        assert files
        assert {client.get(path).status_code for path in files} == {200}
        form = {"username": "boss", "password": PASSWORD}
        assert client.post("/v1/auth/token", data=form).status_code == 200
        sent = client.post("/v1/dumps", files={"file": ("a.dmp", Minidump().write())}).json()
        dump = wait_for(
            lambda: (
                (found := client.get(f"/v1/dumps/{sent['id']}").json())["report_state"] != "pending"
                and found
            )
        )
        assert dump["exception"] == "SIGSEGV"
        assert service.stop() == 0
