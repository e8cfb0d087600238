"""VertexCloud's contract by command lines, and what a process's log says of keys."""

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import plain_http
from tests.compat.conftest import RunDocument
from tests.compat.vertexcloud_client import MEDIA
from tests.system import processes
from tests.system.processes import PROJECT

pytestmark = pytest.mark.slow

DATA = bytes(range(256)) * 400
PASSWORD = "MySecurePass123"

SIGN_UP = """\
curl -X POST http://127.0.0.1:8000/signup/ \\
-d "username=testuser" \\
-d "email=test@example.com" \\
-d "password=MySecurePass123"
"""
LOG_IN = """\
curl -X POST http://127.0.0.1:8000/login/ \\
-d "username=testuser" \\
-d "password=MySecurePass123"
"""
UPLOAD = """\
curl -X POST -F "file=@/path/to/your/image.jpg" \\
-F "key=your_session_key" \\
http://127.0.0.1:8000/create/file/
"""
LIST = """\
curl -X POST http://127.0.0.1:8000/get/files/ \\
-d "key=your_session_key"
"""
DELETE = """\
curl -X GET "http://127.0.0.1:8000/delete/file/?id=1&key=your_session_key"
"""

UVICORN = [sys.executable, "-m", "uvicorn", "--app-dir", str(PROJECT), "--port", "0", "main:app"]


def test_what_the_document_says_to_type_works(live: processes.Service, tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl is installed")
    (tmp_path / "image.jpg").write_bytes(DATA)

    def run(line: str, key: str = "") -> dict[str, object]:
        line = line.replace("http://127.0.0.1:8000", live.url).replace("your_session_key", key)
        line = line.replace("/path/to/your", str(tmp_path))
        environment = processes.environment({})
        done = subprocess.run(
            ["sh", "-euc", line], env=environment, capture_output=True, check=True
        )
        answer: dict[str, object] = json.loads(done.stdout)
        return answer

    signed_up = run(SIGN_UP)
    assert signed_up["message"] == "New User testuser has been created successfully"
    for key in (str(signed_up["your session key"]), str(run(LOG_IN)["session_key"])):
        uploaded = run(UPLOAD, key)
        assert (uploaded["file_type"], uploaded["size"]) == ("image/jpeg", len(DATA))
    listed = run(LIST, key)["file"]
    assert isinstance(listed, dict)
    assert {name: file["id"] for name, file in listed.items()} == {"image.jpg": 1, "image_1.jpg": 2}
    assert run(DELETE, key) == {
        "status": True,
        "message": "File with id : '1' has been deleted",
        "authorization": "user-token",
    }
    assert key not in live.log


def test_what_our_document_says_to_type_works(run_document: RunDocument) -> None:
    printed = run_document("vertexcloud.md", {"image.jpg": DATA})
    assert '"filename":"image.jpg"' in printed
    assert "User : ada sessions has been Flushed and Now logged out." in printed


@pytest.fixture(params=["main.py", "uvicorn"])
def noisy(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[processes.Service]:
    """A process that logs all it can."""
    settings = {"DATA_DIR": str(tmp_path / "data"), "LOG_LEVEL": "debug"}
    command = UVICORN if request.param == "uvicorn" else []
    with processes.running(settings, tmp_path, command) as service:
        yield service


def test_no_log_line_holds_a_key(noisy: processes.Service, tmp_path: Path) -> None:
    with plain_http.Client(base_url=noisy.url) as client:
        form = {"username": "testuser", "password": PASSWORD}
        signed_up = client.post("/signup/", data=form)
        key, cookie = signed_up.json()["your session key"], client.cookies["holdall_session"]
        client.post("/create/file/", files={"file": ("a.jpg", DATA)}, data={"key": key})
        by_key, path = {"id": "1", "key": key}, f"{MEDIA}a.jpg"
        assert client.get("/get/file/", params={"id": "1", "token": key}).json()["file"]
        assert client.get(path, params={"key": key}).content == DATA
        assert client.get("/delete/file/", params=by_key | {"id": "7"}).is_success
        assert client.post("/delete/file/", params=by_key).status_code == 405
        assert client.get(f"/nowhere/{path}", params=by_key).status_code == 404
        password = {"key": key, "password": PASSWORD + "?"}
        assert client.get("/delete/user/", params=password).json()["status"] is False
        shutil.rmtree(tmp_path / "data" / "objects" / "files")  # and not the store with its marks
        failed = client.get(path, params={"key": key})
        assert failed.status_code == 500
        assert key not in failed.text
        bad = f"GET {path}?key={key} HTTP/9.9\r\n\r\n"
        assert b"400" in _raw(noisy, bad.encode())
        last = client.get("/clear/session/", params={"key": key})
        assert last.json()["status"] is True
    noisy.stop()
    assert "a request failed" in noisy.log
    assert '"path":"/clear/session/"' in noisy.log
    for secret in (key, cookie, PASSWORD):
        assert secret not in noisy.log + noisy.printed


def _raw(service: processes.Service, request: bytes) -> bytes:
    with socket.create_connection(service.address, timeout=processes.DEADLINE) as connection:
        connection.sendall(request)
        return connection.recv(10_000)
