"""The shortest ways to hand on a file: what the documents say to type, typed into a shell."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system import processes
from tests.system.processes import SERVICE_TOKEN, Service

DATA = bytes(range(256)) * 4096  # 1 MiB

Curl = Callable[..., str]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    if shutil.which("curl") is None:
        pytest.skip("no curl is installed")
    folder = tmp_path_factory.mktemp("service")
    with processes.running({"DATA_DIR": str(folder / "data")}, folder) as service:
        yield service


@pytest.fixture
def sh(service: Service, tmp_path: Path) -> Curl:
    """Run a line in a shell, in a folder of its own, and return what it prints."""
    (tmp_path / "photo é 1.jpg").write_bytes(DATA)
    (tmp_path / "got").mkdir()

    def run(line: str, **variables: str) -> str:
        environment = processes.environment(
            {"URL": service.url, "AUTH": f"Authorization: Bearer {SERVICE_TOKEN}"} | variables
        )
        done = subprocess.run(
            ["sh", "-euc", line], cwd=tmp_path, env=environment, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    return run


def test_a_file_goes_by_its_name_and_comes_by_its_link(sh: Curl, tmp_path: Path) -> None:
    link = sh('curl -sSf -H "$AUTH" -T "photo é 1.jpg" $URL/v1/send/')
    assert link.count("\n") == 1
    assert link.endswith("\n")
    assert sh("cd got && curl -sSfOJ $LINK && ls", LINK=link.strip()) != ""
    (got,) = (tmp_path / "got").iterdir()
    assert got.read_bytes() == DATA
    headers = sh("curl -sSfI $LINK", LINK=link.strip())
    assert "filename*=UTF-8''photo%20%C3%A9%201.jpg" in headers
    assert "content-type: image/jpeg" in headers.lower()


def test_a_pipe_goes_too(sh: Curl) -> None:
    link = sh('echo hello | curl -sSf -H "$AUTH" -T - $URL/v1/send/').strip()
    assert sh("curl -sSf $LINK", LINK=link) == "hello\n"
    assert 'filename="upload"' in sh("curl -sSfI $LINK", LINK=link)
    link = sh('echo hi | curl -sSf -H "$AUTH" -T - "$URL/v1/send/a.txt?expires_in=60"').strip()
    assert 'filename="a.txt"' in sh("curl -sSfI $LINK", LINK=link)


def test_a_form_goes_too(sh: Curl) -> None:
    line = 'curl -sSf -H "$AUTH" $URL/v1/files -F "file=@photo é 1.jpg" -F expires_in=60'
    assert '"name":"photo é 1.jpg"' in sh(line)


def test_the_guide_on_top_of_the_api_can_be_typed(
    service: Service, sh: Curl, tmp_path: Path
) -> None:
    (tmp_path / "photo.jpg").write_bytes(DATA)
    guide = service.client.get("/openapi.json").json()["info"]["description"]
    (lines,) = re.findall(r"```sh\n(.*?)```", guide, re.DOTALL)
    signing_in, _, rest = lines.partition("TOKEN=")
    account, tokens = sh(signing_in).split("}{")
    assert '"username":"ada"' in account
    _, _, using = rest.partition("\n")
    link, files = sh(using, TOKEN=json.loads("{" + tokens)["access_token"]).split("\n")
    (file,) = json.loads(files)["items"]
    assert (file["name"], file["size"], file["link"]) == ("photo.jpg", len(DATA), link)


def link_to(service: Service, **options: object) -> str:
    put = service.client.put("/v1/blobs/photo.jpg/content", content=DATA)
    assert put.is_success
    body = {"kind": "blob", "id": "photo.jpg", "time": 600} | options
    link = service.client.post("/v1/timelinks", json=body)
    assert link.status_code == 201, link.text
    return str(link.json()["url"])


def test_a_limited_link_is_good_for_that_many(service: Service, sh: Curl, tmp_path: Path) -> None:
    link = link_to(service, max_downloads=1)
    assert '"downloads_left":1' in sh("curl -sSf $LINK", LINK=link)
    sh('cd got && curl -sSfLOJ "$LINK?download=1"', LINK=link)
    assert (tmp_path / "got" / "photo.jpg").read_bytes() == DATA
    answer = sh('curl -sS -o /dev/null -w "%{http_code}" "$LINK?download=1"', LINK=link)
    assert answer == "404"


def test_a_password_goes_with_any_user_name(service: Service, sh: Curl) -> None:
    link = link_to(service, password="secret")
    size = 'curl -sSf -o /dev/null -w "%{size_download}" '
    assert sh(f"{size} -u :secret $LINK", LINK=link) == str(len(DATA))
    assert sh(f"{size} -u anybody:secret $LINK", LINK=link) == str(len(DATA))
    assert sh(f"{size} -L -d password=secret $LINK", LINK=link) == str(len(DATA))
    assert sh('curl -sS -o /dev/null -w "%{http_code}" -u :x $LINK', LINK=link) == "401"
    loud = [e for e in service.events if e["level"] in {"error", "warning"}]
    assert {(e["event"], e["action"]) for e in loud} == {("security", "link.password_failed")}
    assert "secret" not in service.log
    assert link.rpartition("/")[2] not in service.log
