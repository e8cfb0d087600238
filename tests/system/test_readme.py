"""The README's commands: a reader who types them gets what it says."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import plain_http
from tests.system import processes
from tests.system.processes import Service

README = Path(__file__).parents[2] / "README.md"
ADA = {"username": "ada", "password": "correct-horse"}
BLOCKS = re.findall(r"^```sh\n(.*?)^```", README.read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    if shutil.which("curl") is None:
        pytest.skip("no curl is installed")
    with processes.running({"DATA_DIR": str(tmp_path / "data")}, tmp_path) as service:
        yield service


def test_every_line_works(service: Service, tmp_path: Path) -> None:
    folder = tmp_path / "reader"
    folder.mkdir()
    # curl itself says when an answer is an error, and ends each answer's line
    wrapper = folder / "curl"
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("curl")} -sS --fail-with-body -w "\\n" "$@"')
    wrapper.chmod(0o755)
    script = "\n".join(BLOCKS).replace("http://127.0.0.1:8000", service.url)
    environment = processes.environment({})
    environment["PATH"] = f"{folder}:{environment['PATH']}"
    done = subprocess.run(
        ["sh", "-euc", script], cwd=folder, env=environment, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()
    lines = [line for line in done.stdout.decode().splitlines() if line]
    account, blob, link, buffer, picture, dump, timelink, inbox, key = lines
    assert json.loads(account)["username"] == "ada"
    assert json.loads(blob)["id"] == "photo.webp"
    assert link.startswith(f"{service.url}/t/")
    shown = json.loads(picture)
    assert (shown["width"], shown["height"], shown["is_complete"]) == (640, 480, True)
    assert json.loads(dump)["label"] == "app 1.2"
    assert json.loads(timelink)["max_downloads"] == 1
    assert json.loads(inbox)["url"].startswith(f"{service.url}/t/")
    assert json.loads(key)["key"].startswith("hk_")
    assert json.loads(buffer)["data_type"] == "text"
    assert b"clipboard" not in done.stderr
    token = plain_http.post(f"{service.url}/v1/auth/token", data=ADA).json()["access_token"]
    authorization = {"Authorization": f"Bearer {token}"}
    path = f"{service.url}/v1/dumps/{json.loads(dump)['id']}"

    def signature() -> str | None:
        found: str | None = plain_http.get(path, headers=authorization).json()["signature"]
        return found

    processes.wait_for(lambda: signature() == "SIGSEGV app+0x123")
