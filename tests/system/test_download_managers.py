"""Limited links and the programs that people download with: each takes one download, by one line.

They ask for parts, ask again, ask in parallel, and some ask the link's own URL each time.
"""

import random
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import plain_http
from tests.system import processes
from tests.system.processes import Service

pytestmark = pytest.mark.slow

DATA = random.Random(5).randbytes(12 * 1024 * 1024)  # enough for four connections of each

Shell = Callable[..., str]

COMMANDS = {
    "curl": 'curl -sSfL -OJ "$LINK?download=1"',
    "wget": 'wget -q --content-disposition "$LINK?download=1"',
    "wget by lease": 'wget -q --trust-server-names "$LINK?download=1" && mv photo.jpg* photo.jpg',
    "aria2c": 'aria2c -q -x4 -s4 -k1M "$LINK?download=1"',
    "axel": 'axel -q -n 4 -o photo.jpg "$LINK?download=1"',
}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    service = processes.spawn({"DATA_DIR": str(folder / "data")}, folder, "service")
    service.wait_until_ready()
    yield service
    service.kill()


@pytest.fixture
def sh(tmp_path: Path) -> Shell:
    """Run a line in a shell, in a folder of its own, and return what it prints.

    The test is skipped where the program that the line begins with isn't installed.
    """

    def run(line: str, **variables: str) -> str:
        program = line.split(maxsplit=1)[0]
        if shutil.which(program) is None:
            pytest.skip(f"no {program} is installed")
        environment = processes.environment({"HOME": str(tmp_path)} | variables)
        done = subprocess.run(
            ["sh", "-euc", line],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, (done.stdout + done.stderr).decode()
        return done.stdout.decode()

    return run


def make_link(service: Service, **options: object) -> dict[str, Any]:
    put = service.client.put("/v1/blobs/photo.jpg/content", content=DATA)
    assert put.is_success
    body = {"kind": "blob", "id": "photo.jpg", "time": 600} | options
    made = service.client.post("/v1/timelinks", json=body)
    assert made.status_code == 201, made.text
    link: dict[str, Any] = made.json()
    return link


def taken(service: Service, link: dict[str, Any]) -> int:
    """Return how many downloads of a link its owner sees."""
    items = service.client.get("/v1/timelinks").json()["items"]
    (found,) = [item for item in items if item["id"] == link["id"]]
    return int(found["downloads"])


@pytest.mark.parametrize("allowed", [1, 5])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_program_takes_one_download(
    service: Service, sh: Shell, tmp_path: Path, command: str, allowed: int
) -> None:
    link = make_link(service, max_downloads=allowed)
    sh(COMMANDS[command], LINK=link["url"])
    assert (tmp_path / "photo.jpg").read_bytes() == DATA
    assert taken(service, link) == 1
    answer = plain_http.get(f"{link['url']}?download=1")
    assert answer.status_code == (404 if allowed == 1 else 303)


@pytest.mark.parametrize(
    "command",
    ["wget -q $LINK/photo.jpg", "curl -sSfO $LINK/photo.jpg", "aria2c -q $LINK/photo.jpg"],
)
def test_a_name_in_the_url_names_the_file(
    service: Service, sh: Shell, tmp_path: Path, command: str
) -> None:
    link = make_link(service)
    sh(command, LINK=link["url"])
    assert (tmp_path / "photo.jpg").read_bytes() == DATA


def test_programs_that_follow_nowhere_are_told_where_to_go(
    service: Service, sh: Shell, tmp_path: Path
) -> None:
    link = make_link(service, max_downloads=1)
    text = sh('curl -sSf "$LINK?download=1"', LINK=link["url"])
    (lease,) = re.findall(r"http://\S+", text)
    sh("curl -sSf -r 0-99999 -o photo.jpg $LEASE", LEASE=lease)
    sh("curl -sSf -C - -o photo.jpg $LEASE", LEASE=lease)
    assert (tmp_path / "photo.jpg").read_bytes() == DATA
    assert taken(service, link) == 1


@pytest.mark.parametrize(
    ("broken", "again"),
    [
        (
            'curl -sSfL -c jar -r 0-99999 -o photo.jpg "$LINK?download=1"',
            'curl -sSfL -b jar -C - -o photo.jpg "$LINK?download=1"',
        ),
        (
            (
                "wget -q --save-cookies=jar --keep-session-cookies "
                "--header='Range: bytes=0-99999' -O photo.jpg $LINK?download=1"
            ),
            'wget -q --load-cookies=jar -c -O photo.jpg "$LINK?download=1"',
        ),
    ],
    ids=["curl", "wget"],
)
def test_a_download_that_broke_goes_on_by_its_cookie(
    service: Service, sh: Shell, tmp_path: Path, broken: str, again: str
) -> None:
    link = make_link(service, max_downloads=1)
    sh(broken, LINK=link["url"])
    assert (tmp_path / "photo.jpg").stat().st_size == 100_000
    sh(again, LINK=link["url"])
    assert (tmp_path / "photo.jpg").read_bytes() == DATA
    assert taken(service, link) == 1


def test_neither_tokens_nor_leases_are_logged(service: Service, sh: Shell) -> None:
    link = make_link(service, max_downloads=1)
    sh('curl -sSfL -o /dev/null "$LINK/photo.jpg?download=1"', LINK=link["url"])
    text = sh('curl -sS "$LINK/photo.jpg?lease=$GUESS"', LINK=link["url"], GUESS="secret" * 4)
    assert "404" in text
    assert link["url"].rpartition("/")[2] not in service.log
    assert "lease=" not in service.log
    assert "secretsecret" not in service.log
    assert "/t/[redacted]/photo.jpg" in service.log


@pytest.mark.parametrize(
    "command",
    [
        'curl -sSf -H "$AUTH" -o all.zip $URL',
        'aria2c -q --header "$AUTH" -x4 -s4 -k1M -o all.zip $URL',
        (
            'curl -sSf -H "$AUTH" -r 0-2999999 -o all.zip $URL && '
            'curl -sSf -H "$AUTH" -C - -o all.zip $URL'
        ),
        'wget -q --header "$AUTH" -O all.zip $URL',
    ],
    ids=["curl", "aria2c", "curl goes on", "wget"],
)
def test_an_archive_is_fetched_in_parts(
    service: Service, sh: Shell, tmp_path: Path, command: str
) -> None:
    """By the kernel's sendfile, which tests of the application don't use."""
    bodies = {"large": DATA, "small": DATA[:20_000], "tiny": b"tiny", "none": b""}
    for name, data in bodies.items():
        assert service.client.put(f"/v1/blobs/{name}/content", content=data).is_success
    url = str(service.client.base_url.join("/v1/accounts/me/takeout"))
    sh(command, URL=url, AUTH=f"Authorization: Bearer {processes.SERVICE_TOKEN}")
    with zipfile.ZipFile(tmp_path / "all.zip") as found:
        assert found.testzip() is None
        assert {name: found.read(f"blobs/{name}") for name in bodies} == bodies
