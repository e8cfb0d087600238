"""The log of a real process: its form, its request ids, and no secret in it."""

import base64
import contextlib
import fcntl
import json
import os
import pty
import select
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.config import Settings
from app.logging.output import LogOutput
from app.logging.redaction import Redaction
from app.logging.rendering import Renderer
from tests import plain_http, servers, sharing
from tests.system import processes
from tests.system.processes import PROJECT, Service

PASSWORD = 'Tr0ub4dor&3 "quoted" ünd-more'
WRONG_PASSWORD = "never-the-right-one-81723"
ADMIN_PASSWORD = "adm!n/p@ss:word-55"
SIGNING_KEY = "signing-key-signing-key-signing-key-77"
REQUEST_ID = "my-request:1"

# the application with routes that fail or warn in every way, started as main.py starts it
PROGRAM = """
import logging, os, sys, warnings
import structlog
import main
from app.config import load_settings
from routers.web.route import HoldallRoute

def create_app(settings, create=main.create_app):
    edge = create(settings)
    def fail():
        secret = "a-local-variable-that-is-secret"
        raise RuntimeError(f"no luck with {os.environ['SECRET_KEY']} {os.environ['SIGNING_KEY']}")
    async def failing():
        fail()
    async def chaining():
        try:
            fail()
        except RuntimeError as error:
            raise ValueError("chained") from error
    async def warning():
        warnings.warn("a library warns of hk_0123456789abcdef", stacklevel=1)
        logging.getLogger("a.library").warning("it says %s", "postgresql://u:p4ss@host/db")
        structlog.get_logger("ours").info("odd", text="\\ud800", thing=object(), line="a\\nb")
        return {}
    for endpoint in (failing, chaining, warning):
        edge.app.router.routes.append(HoldallRoute(f"/{endpoint.__name__}", endpoint))
    return edge

main.create_app = create_app
main.load_settings = load_settings
sys.exit(main.main())
"""


def _running(folder: Path, **settings: str) -> contextlib.AbstractContextManager[Service]:
    program = folder / "program.py"
    program.write_text(PROGRAM)
    shutil.copytree(sharing.data_folder(), folder / "data")
    values = {"DATA_DIR": str(folder / "data"), "PYTHONPATH": str(PROJECT), "LOG_LEVEL": "debug"}
    values |= {
        "REGISTRATION": "open",
        "SIGNING_KEY": SIGNING_KEY,
        "PYTHONWARNINGS": "always",
    } | settings
    return processes.running(values, folder, [sys.executable, program])


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with _running(tmp_path_factory.mktemp("service")) as service:
        yield service


def _lines_of(service: Service, request_id: str) -> list[dict[str, Any]]:
    """Wait for the last line of a request, which comes after its answer, and return them all."""

    def found() -> list[dict[str, Any]]:
        lines = [line for line in _lines(service) if line.get("request_id") == request_id]
        return lines if lines and lines[-1]["event"] == "request" else []

    lines: list[dict[str, Any]] = processes.wait_for(found)
    return lines


def _lines(service: Service) -> list[dict[str, Any]]:
    whole, _, _ = service.log.rpartition("\n")
    return [json.loads(line) for line in whole.splitlines()]


def _get(service: Service, path: str, request_id: str = REQUEST_ID) -> httpx.Response:
    headers = {"X-Request-ID": request_id}
    return plain_http.get(f"{service.url}{path}", headers=headers)


def test_every_line_is_json_with_the_same_members(service: Service) -> None:
    _get(service, "/warning")
    lines = _lines(service)
    assert lines
    for line in lines:
        assert list(line)[:3] == ["timestamp", "level", "event"]
        assert line["timestamp"].endswith("Z")


def test_a_request_has_one_line_with_its_id(service: Service) -> None:
    assert _get(service, "/healthz", "one-line").headers["x-request-id"] == "one-line"
    (line,) = _lines_of(service, "one-line")
    assert (line["event"], line["path"], line["status"]) == ("request", "/healthz", 200)


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"


def test_a_line_says_who_asked_for_what_and_what_went_over_the_wire(service: Service) -> None:
    with plain_http.Client(base_url=service.url) as client:
        login = {"username": "grace", "password": PASSWORD}
        account = client.post("/v1/accounts", json=login).json()
        pair = client.post("/v1/auth/token", data=login).json()
        session = {"Authorization": f"Bearer {pair['access_token']}"}
        body = {"name": "k", "scopes": ["blobs:read", "blobs:write"]}
        key = client.post("/v1/accounts/me/keys", json=body, headers=session).json()
        client.headers = httpx.Headers(
            {
                "User-Agent": f"crate/1 {'x' * 300}",
                "Authorization": f"Bearer {key['key']}",
                "X-Request-ID": "in",
                "traceparent": f"00-{TRACE}-{PARENT}-01",
            }
        )
        client.put("/v1/blobs/some%2Fthing/content?key=secret", content=b"x" * 1000)
        client.get("/v1/blobs/some%2Fthing/content", headers={"X-Request-ID": "out"})
    (line,) = _lines_of(service, "in")
    assert line.pop("ms") > 0
    assert line.pop("bytes_out") > 100
    assert line.pop("timestamp")
    assert line == {
        "level": "info",
        "event": "request",
        "request_id": "in",
        "trace_id": TRACE,
        "method": "PUT",
        "path": "/v1/blobs/some/thing/content",
        "route": "/v1/blobs/{id}/content",
        "status": 201,
        "bytes_in": 1000,
        "client": "127.0.0.1",
        "account": account["id"],
        "key": key["id"],
        "user_agent": f"crate/1 {'x' * 248}",
    }
    (line,) = _lines_of(service, "out")
    assert (line["bytes_in"], line["bytes_out"]) == (0, 1000)


def test_a_line_of_nobody_has_no_account(service: Service) -> None:
    _get(service, "/healthz", "nobody")
    (line,) = _lines_of(service, "nobody")
    assert not {"account", "key", "trace_id", "aborted"} & set(line)


@pytest.mark.parametrize(
    ("parent", "trace"),
    [
        (f"00-{TRACE}-{PARENT}-00", TRACE),
        (f"01-{TRACE}-{PARENT}-01-of-a-later-version", TRACE),
        (f"00-{TRACE}-{PARENT}-01-of-a-later-version", None),
        (f"ff-{TRACE}-{PARENT}-01", None),
        (f"00-{'0' * 32}-{PARENT}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-{PARENT}-01", None),
        ("", None),
    ],
)
def test_every_line_has_the_trace_it_is_part_of(
    service: Service, parent: str, trace: str | None
) -> None:
    headers = {"traceparent": parent, "X-Request-ID": f"of-{abs(hash(parent))}"}
    plain_http.get(f"{service.url}/warning", headers=headers)
    lines = _lines_of(service, headers["X-Request-ID"])
    assert len(lines) > 2
    assert {line.get("trace_id") for line in lines} == {trace}


def test_lines_of_libraries_have_the_request_id(service: Service) -> None:
    _get(service, "/warning", "libraries")
    lines = _lines_of(service, "libraries")
    loggers = {line.get("logger") for line in lines}
    assert {"py.warnings", "a.library"} <= loggers
    text = json.dumps(lines)
    assert "hk_0123" not in text
    assert "p4ss" not in text
    assert any(line["event"] == "odd" and line["line"] == "a\nb" for line in lines)


@pytest.mark.parametrize("path", ["/failing", "/chaining"])
def test_an_exception_is_logged_once_with_its_traceback(service: Service, path: str) -> None:
    answer = _get(service, path, f"fails{path}".replace("/", "-"))
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    lines = _lines_of(service, answer.headers["x-request-id"])
    (line,) = [line for line in lines if "exception" in line]
    assert "RuntimeError: no luck with [redacted] [redacted]" in line["exception"]
    assert line["exception"].count("RuntimeError: no luck") == 1
    assert [line["event"] for line in lines] == ["a request failed", "request"]
    assert "a-local-variable" not in json.dumps(lines)


def test_no_secret_is_in_any_line(
    postgres_server: servers.PostgresServer,
    s3_server: servers.S3Server,
    valkey_server: servers.ValkeyServer,
    tmp_path: Path,
) -> None:
    """All flows, the failing ones too, at the level debug; and then every backend fails."""
    database = postgres_server.create_database(sharing.migrated_database())
    valkey_server.clear()  # of failures that other tests have had
    running = _running(
        tmp_path,
        DATABASE_URL=database,
        REDIS_URL=valkey_server.url.replace("://", "://default:redis-s3cret@"),
        ACTIVE_STORAGE="s3",
        S3_ENDPOINT_URL=s3_server.endpoint_url,
        S3_ACCESS_KEY_ID=s3_server.access_key,
        S3_SECRET_ACCESS_KEY=s3_server.secret_key,
        S3_BUCKET_NAME=s3_server.create_bucket(),
        ADMIN_USERNAME="root",
        ADMIN_PASSWORD=ADMIN_PASSWORD,
    )
    with running as service:
        secrets = _use_everything(service)
        postgres_server.drop_database(database)
        for path in ("/readyz", "/v1/accounts/me", "/failing"):
            plain_http.get(f"{service.url}{path}", headers=secrets["headers"])
    found = {
        PASSWORD, WRONG_PASSWORD, ADMIN_PASSWORD, SIGNING_KEY, processes.SERVICE_TOKEN,
        "redis-s3cret", s3_server.secret_key, database.split(":")[2].split("@")[0],
        *secrets["values"],
    }  # fmt: skip
    log = service.log + service.printed
    assert log.count('"request"') > 15
    for secret in found:
        for form in (secret, json.dumps(secret)[1:-1], httpx.QueryParams(k=secret)["k"]):
            assert form not in log, f"found {secret!r}"


def _use_everything(service: Service) -> dict[str, Any]:
    with plain_http.Client(base_url=service.url) as client:
        login = {"username": "ada", "password": PASSWORD}
        assert client.post("/v1/accounts", json=login).status_code == 201
        assert client.post("/v1/accounts", json=login).status_code == 409
        assert client.post("/v1/accounts", json={"password": PASSWORD}).status_code == 422
        wrong = login | {"password": WRONG_PASSWORD}
        assert client.post("/v1/auth/token", data=wrong).status_code == 401
        pair = client.post("/v1/auth/token", data=login).json()
        fresh = client.post("/v1/auth/refresh", json={"refresh_token": pair["refresh_token"]})
        headers = {"Authorization": f"Bearer {fresh.json()['access_token']}"}
        body = {"name": "k", "scopes": ["blobs:read"]}
        key = client.post("/v1/accounts/me/keys", json=body, headers=headers).json()["key"]
        tokens = [pair["access_token"], pair["refresh_token"], key, processes.SERVICE_TOKEN]
        tokens += [fresh.json()["access_token"], fresh.json()["refresh_token"]]
        for token in [*tokens, SIGNING_KEY, WRONG_PASSWORD, "hk_" + "0" * 38]:
            client.get("/v1/blobs", headers={"Authorization": f"Bearer {token}"})
            client.get("/v1/blobs", params={"key": token, "token": token})
            client.get("/nowhere", params={"key": token}, headers={"Cookie": f"session={token}"})
            client.get("/v1/blobs", auth=("ada", token))
        for token in tokens:
            client.get(f"/v1/blobs/{token}", headers=headers)
            client.get(f"/{token}")
        basic = base64.b64encode(f"ada:{PASSWORD}".encode()).decode()
        client.post("/v1/blobs", content=b'{"id": ', headers=headers)
        client.put("/v1/blobs/a/content", content=b"x" * 100_000, headers=headers)
        client.get("/failing", headers=headers)
        client.post("/v1/auth/revoke", headers=headers)
        return {"headers": headers, "values": [*tokens, basic]}


def test_a_terminal_gets_text(tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(sharing.data_folder(), data)
    master, slave = pty.openpty()
    child = subprocess.Popen(
        processes.main_py(),
        stdin=subprocess.DEVNULL,
        stdout=slave,
        stderr=slave,
        env=processes.environment({"DATA_DIR": str(data)}),
        cwd=tmp_path,
    )
    os.close(slave)
    printed = b""
    while b"running on" not in printed:
        assert select.select([master], [], [], processes.DEADLINE)[0], printed
        printed += os.read(master, 65536)
    child.terminate()
    child.wait(processes.DEADLINE)
    os.close(master)
    assert b'{"timestamp"' not in printed
    assert b"\x1b[" in printed, "a terminal has colours"


def test_text_writes_no_lines_of_others() -> None:
    render = Renderer(Redaction(), as_text=True, colors=False)
    line = render("info", {"event": "odd\n2026 forged", "path": "/a\n2026 forged\x1b[2J"})
    assert "\n" not in line
    assert "\x1b" not in line


@pytest.mark.parametrize(
    "piece",
    ["eyJ", "://", "a:", "/t/", "hk_", "hr_", "hr_01890a5d-ac96-774b-bcce-b302099a8057.1",
     "earer ", "?key=", "eyJ.", "eyJa.b", "/timelink/", "://a:", "1"],
)  # fmt: skip
def test_no_line_keeps_redaction_busy(piece: str) -> None:
    """Twenty times the length takes about twenty times the time, where it took four hundred."""
    redact = Redaction()
    short, long = "".join(["://", "eyJ", piece * 3_000]), "".join(["://", "eyJ", piece * 60_000])
    times = {}
    for line in (short, long):
        begun = time.process_time()
        for _ in range(3):
            redact(line)
        times[line] = time.process_time() - begun
    assert times[long] < max(100 * times[short], 0.5)


def test_values_are_redacted_in_every_form() -> None:
    settings = Settings(
        _env_file=None,
        secret_key='back\\slash "and" ünicode & more',
        database_url="postgresql://me:p%40ss-word@host/name",
        signing_key=SIGNING_KEY,
    )
    redact = Redaction.of(settings)
    secret = 'back\\slash "and" ünicode & more'
    quoted = httpx.URL("http://x/", params={"k": secret}).query.decode()
    for form in (secret, json.dumps(secret), repr(secret), quoted, "p@ss-word", "p%40ss-word"):
        assert "slash" not in redact(f"<{form}>")
        assert "ss-word" not in redact(f"<{form}>")
    for path in ("/t/", "//t//", "///t////", "https://host/holdall/t/", "/v1/welcome/"):
        assert redact(f"{path}abcdefghijklmnopqrstuv/a.txt") == f"{path}[redacted]/a.txt"
        assert redact(f"{path}eyJhbGciOiJIUzI1NiJ9xx") == f"{path}[redacted]"
    uuid = "01890a5d-ac96-774b-bcce-b302099a8057"
    for path in ("/api/timelink/", "//api//timelink//"):
        assert redact(f"GET {path}{uuid}") == f"GET {path}[redacted]"
    assert redact("a%3DeyJab.cd-e.f_g, eyJ, eyJhk_abc?key=x") == (
        "a%3D[redacted], eyJ, eyJ[redacted]?key=[redacted]"
    )
    assert redact("redis://u:p:q@host redis://:p@host http://host:80/@") == (
        "redis://[redacted]@host redis://[redacted]@host http://host:80/@"
    )
    assert redact("/?password=good-one&key=a_b-c") == "/?password=[redacted]&key=[redacted]"
    assert redact("nothing to see: /v1/blobs/monkey=1") == "nothing to see: /v1/blobs/monkey=1"


def test_each_of_several_signing_keys_is_redacted() -> None:
    keys = ["o" * 16 + "1" * 16, f"hex:{'ab' * 32}"]
    redact = Redaction.of(Settings(_env_file=None, signing_key=", ".join(keys)))
    for key in (*keys, "ab" * 32):
        assert key.removeprefix("hex:") not in redact(f"a line with {key} in it")


def test_a_reader_that_stalls_stops_nothing() -> None:
    reader, writer = os.pipe()
    size = fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    output = LogOutput(writer, limit=20_000)

    def write() -> None:
        for n in range(2000):  # far more than pipe and limit hold: each call returns all the same
            output.write(f"{n:04}" + "x" * 95)

    writing = threading.Thread(target=write, daemon=True)
    writing.start()
    writing.join(processes.DEADLINE)
    assert not writing.is_alive(), "it waits for its reader"
    read = b""
    for _ in range(20):
        read += os.read(reader, size)
        output.write("again")
    lines = read.decode().splitlines()
    kept = [line for line in lines if line.endswith("xxx")]
    assert [int(line[:4]) for line in kept] == list(range(len(kept))), "in order, and whole"
    assert 200 <= len(kept) < 2000
    (told,) = [json.loads(line) for line in lines if line.startswith("{")]
    assert told["count"] >= 2000 - len(kept)
    os.close(reader)
    output.write("nobody reads this, and nothing happens")
    os.close(writer)
