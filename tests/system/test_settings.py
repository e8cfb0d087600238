"""Settings that a start can't be made with: it stops, and a line says which one it is."""

import re
import sys
from pathlib import Path

import httpx
import pytest

from tests.app.config.test_settings import KEY, POSTGRES, S3
from tests.deadline import DEADLINE
from tests.servers import free_ports
from tests.system.conftest import MakeSettings, Settings, Start, StartFork
from tests.system.processes import PROJECT, Service, main_py

PASSWORD = "correct horse battery"
WRONG: list[tuple[str, dict[str, str]]] = [
    ("COMPAT", {"COMPAT": "crash-store, crash_store"}),
    ("S3_ENDPOINT_URL", S3 | {"S3_ENDPOINT_URL": "127.0.0.1:9000"}),
    ("DEFAULT_TIER", {"DEFAULT_TIER": "Gold"}),
    ("DATA_DIR", {"DATA_DIR": "/dev/null/data"}),
    ("LOCAL_STORAGE_PATH", {"LOCAL_STORAGE_PATH": "/dev/null/objects"}),
    ("DUMPS_BASE_DIR", {"DUMPS_BASE_DIR": "/dev/null/dumps"}),
    ("DATABASE_URL", {"DATABASE_URL": "sqlite:////dev/null/holdall.db"}),
    ("DATABASE_URL", {"DATABASE_URL": f"{POSTGRES}/name?sslmode=perhaps", "SIGNING_KEY": KEY}),
    ("DATABASE_URL", {"DATABASE_URL": f"{POSTGRES}:1/name", "SIGNING_KEY": KEY}),
    ("ACTIVE_STORAGE", S3 | {"S3_ENDPOINT_URL": "http://127.0.0.1:1"}),
]
"""Those that only a start finds wrong; `tests.app.config.test_settings` has the others."""
COMMANDS = {
    "main.py": main_py(),
    "uvicorn": [
        *(sys.executable, "-m", "uvicorn", "main:app"),
        *("--app-dir", str(PROJECT), "--port", "0"),
    ],
}


def complaint(service: Service, status: int) -> str:
    """Return what a start that failed said, after a look at how it did."""
    assert status != 0
    assert service.printed == ""
    assert "Traceback" not in service.log
    assert "a-secret-word" not in service.log
    return service.log


@pytest.mark.parametrize(("name", "settings"), WRONG)
def test_a_wrong_setting_stops_the_start_and_is_named(
    make_settings: MakeSettings, start_fork: StartFork, name: str, settings: Settings
) -> None:
    service, process = start_fork(make_settings("local") | settings, ready=False)
    assert name in complaint(service, process.wait(DEADLINE))


@pytest.mark.parametrize(
    ("command", "name", "settings"),
    [
        ("main.py", "PORT", {"PORT": "eight"}),
        ("uvicorn", "DEFAULT_TIER", {"DEFAULT_TIER": "Gold"}),
        ("uvicorn", "DATABASE_URL", {"DATABASE_URL": f"{POSTGRES}:1/name", "SIGNING_KEY": KEY}),
    ],
)
@pytest.mark.slow
def test_and_so_it_does_in_a_process_of_its_own_and_under_uvicorn(
    make_settings: MakeSettings, start: Start, command: str, name: str, settings: Settings
) -> None:
    service = start(make_settings("local") | settings, command=COMMANDS[command], ready=False)
    assert name in complaint(service, service.wait())


def test_every_wrong_setting_has_its_line(
    make_settings: MakeSettings, start_fork: StartFork
) -> None:
    settings = make_settings("local") | {"PORT": "eight", "LOG_LEVEL": "loud", "RATE_LIMITS": "?"}
    service, process = start_fork(settings, ready=False)
    lines = complaint(service, process.wait(DEADLINE)).splitlines()[1:]
    assert [line.partition(":")[0] for line in lines] == ["PORT", "LOG_LEVEL", "RATE_LIMITS"]


@pytest.mark.parametrize(
    ("storage", "urls"),
    [
        ("local", ["sqlite:///{}", "sqlite+aiosqlite:///{}"]),
        (
            "database",
            [
                "postgresql://{}",
                "postgres://{}?sslmode=disable",
                "postgresql+asyncpg://{}?ssl=allow",
            ],
        ),
    ],
)
def test_a_database_may_be_named_in_any_of_the_usual_ways(
    make_settings: MakeSettings, start_fork: StartFork, storage: str, urls: list[str]
) -> None:
    settings = make_settings(storage)
    named = settings.get("DATABASE_URL", f"sqlite:///{settings['DATA_DIR']}/holdall.db")
    rest = re.split(":///?", named, maxsplit=1)[1]
    for number, url in enumerate(urls, start=1):
        service, _ = start_fork(settings | {"DATABASE_URL": url.format(rest)})
        answer = service.client.put(f"/v1/blobs/{number}/content", content=b"a")
        assert answer.status_code == 201
        assert len(service.client.get("/v1/blobs").json()["items"]) == number
        service.kill()


@pytest.mark.parametrize("wrong", ["password", "name"])
def test_a_database_that_refuses_is_named(
    make_settings: MakeSettings, start_fork: StartFork, wrong: str
) -> None:
    settings = make_settings("database")
    url = httpx.URL(settings["DATABASE_URL"])
    if wrong == "password":
        url = url.copy_with(password="a-secret-word")
    else:
        url = url.copy_with(path="/nowhere")
    service, process = start_fork(settings | {"DATABASE_URL": str(url)}, ready=False)
    assert "DATABASE_URL" in complaint(service, process.wait(DEADLINE))


@pytest.mark.parametrize(
    "wrong", [{"S3_BUCKET_NAME": "nowhere"}, {"S3_SECRET_ACCESS_KEY": "a-secret-word"}]
)
def test_a_bucket_that_refuses_is_named(
    make_settings: MakeSettings, start_fork: StartFork, wrong: dict[str, str]
) -> None:
    service, process = start_fork(make_settings("s3") | wrong, ready=False)
    assert "ACTIVE_STORAGE" in complaint(service, process.wait(DEADLINE))


def test_a_file_that_is_no_database_is_named(
    make_settings: MakeSettings, start_fork: StartFork
) -> None:
    settings = make_settings("local")
    path = Path(settings["DATA_DIR"]) / "holdall.db"
    path.parent.mkdir()
    path.write_bytes(b"a letter to my aunt, and nothing else " * 100)
    service, process = start_fork(settings, ready=False)
    assert str(path) in complaint(service, process.wait(DEADLINE))


def test_a_broken_signing_key_is_named(make_settings: MakeSettings, start_fork: StartFork) -> None:
    settings = make_settings("local")
    path = Path(settings["DATA_DIR"]) / "signing.key"
    path.parent.mkdir()
    path.write_text("a-secret-word")
    service, process = start_fork(settings, ready=False)
    assert f"SIGNING_KEY: {path}" in complaint(service, process.wait(DEADLINE))


def test_a_port_in_use_is_named(make_settings: MakeSettings, start_fork: StartFork) -> None:
    settings = make_settings("local")
    first, _ = start_fork(settings)
    port = str(first.address[1])
    service, process = start_fork(settings | {"PORT": port}, ready=False)
    assert process.wait(DEADLINE) != 0
    assert port in service.log
    assert "Traceback" not in service.log


def test_without_redis_the_service_is_degraded_and_serves(
    make_settings: MakeSettings, start_fork: StartFork
) -> None:
    (port,) = free_ports(1)
    service, _ = start_fork(make_settings("local", REDIS_URL=f"redis://127.0.0.1:{port}"))
    readiness = service.client.get("/readyz")
    assert readiness.status_code == 200
    assert readiness.json()["status"] == "degraded"
    assert readiness.json()["checks"]["redis"]["status"] == "failed"
    assert service.client.put("/v1/blobs/a/content", content=b"a").status_code == 201
    form = {"username": "nobody", "password": PASSWORD}
    assert service.client.post("/v1/auth/token", data=form).status_code == 401


def test_uvicorn_starts_it_and_it_migrates_first(make_settings: MakeSettings, start: Start) -> None:
    settings = make_settings("local")
    service = start(settings, command=COMMANDS["uvicorn"])
    assert service.client.put("/v1/blobs/a/content", content=b"a").status_code == 201
    assert service.client.get("/v1/blobs/a/content").content == b"a"
    service.stop()
    assert "Traceback" not in service.log
    assert start(settings).client.get("/v1/blobs/a/content").content == b"a"


@pytest.mark.slow("database")
@pytest.mark.parametrize("storage", ["local", "database"])
def test_the_administrator_of_the_settings_is_made_once(
    make_settings: MakeSettings, start_fork: StartFork, storage: str
) -> None:
    settings = make_settings(storage, ADMIN_USERNAME="boss", ADMIN_PASSWORD=PASSWORD)
    form = {"username": "boss", "password": PASSWORD}
    for _ in range(2):
        service, _ = start_fork(settings)
        token = service.client.post("/v1/auth/token", data=form).json()["access_token"]
        headers = {"Authorization": f"Bearer {token}"}
        assert service.client.get("/v1/accounts/me", headers=headers).json()["is_admin"] is True
        found = service.client.get("/v1/accounts", headers=headers, params={"q": "boss"}).json()
        assert len(found["items"]) == 1
        assert PASSWORD not in service.log
        assert service.printed.count("\n") == 1, "there is an account: no hint is needed"
        assert service.stop() == 0
