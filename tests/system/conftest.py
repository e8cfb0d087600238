"""Fixtures of the system tests: settings for each storage, and starting processes with them."""

import itertools
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest

from tests import servers, sharing
from tests.system import processes
from tests.system.processes import Fork, Nursery, Service
from tests.system.stores import (
    Bucket,
    Inside,
    LocalDisk,
    PostgresRows,
    Rows,
    SqliteRows,
    Store,
    Tables,
)

SIGNING_KEY = "a-signing-key-for-system-tests-of-32-characters"

Settings = dict[str, str]
MakeSettings = Callable[..., Settings]
Inspect = Callable[[Settings], Inside]
StartFork = Callable[..., tuple[Service, Fork]]


class Start(Protocol):
    """Starts a service; ``options`` are settings by their names, which override."""

    def __call__(
        self, settings: Settings, *, command: list[str] = ..., ready: bool = ..., **options: str
    ) -> Service:
        """Return it, as a rule ready to serve; ``command`` is for another program than ours."""


class Run(Protocol):
    """Runs ``main.py`` with arguments to its end, with ``given`` on its standard input."""

    def __call__(
        self, settings: Settings, *arguments: str, given: str = ...
    ) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture(scope="session")
def nursery() -> Nursery:
    """Where processes come from that are started hundreds of times."""
    return sharing.nursery()


@pytest.fixture
def make_settings(request: pytest.FixtureRequest, tmp_path: Path) -> MakeSettings:
    """Make the settings of a fresh service, by the name of its storage.

    ``local`` is SQLite and local disk; ``s3`` and ``database`` keep metadata in PostgreSQL;
    ``scaled`` is ``s3`` with Valkey.
    """
    numbers = itertools.count(1)

    def make(storage: str, **options: str) -> Settings:
        settings = {"DATA_DIR": str(tmp_path / f"data{next(numbers)}")}
        if storage != "local":
            postgres: servers.PostgresServer = request.getfixturevalue("postgres_server")
            database = options.get("DATABASE_URL") or postgres.create_database(
                sharing.migrated_database()
            )
            settings |= {"DATABASE_URL": database, "SIGNING_KEY": SIGNING_KEY}
            settings["ACTIVE_STORAGE"] = "s3" if storage == "scaled" else storage
        if storage in {"s3", "scaled"}:
            settings |= bucket_of_its_own(request.getfixturevalue("s3_server"))
        if storage == "scaled":
            settings["REDIS_URL"] = request.getfixturevalue("valkey_server").url
        return settings | options

    return make


def bucket_of_its_own(server: servers.S3Server) -> Settings:
    """Make a bucket, and return the settings that name it."""
    return {
        "S3_ENDPOINT_URL": server.endpoint_url,
        "S3_ACCESS_KEY_ID": server.access_key,
        "S3_SECRET_ACCESS_KEY": server.secret_key,
        "S3_REGION_NAME": server.region,
        "S3_BUCKET_NAME": server.create_bucket(),
    }


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start real processes; what still runs at the end of the test is killed."""
    started: list[Service] = []

    def start(
        settings: Settings,
        *,
        command: list[str] | None = None,
        ready: bool = True,
        **options: str,
    ) -> Service:
        settings = settings | options
        processes.furnish(settings)
        name = f"service{len(started) + 1}"
        service = processes.spawn(settings, tmp_path, name, command or ())
        started.append(service)
        if ready:
            service.wait_until_ready()
        return service

    yield start
    for service in started:
        service.kill()


@pytest.fixture
def start_fork(nursery: Nursery, tmp_path: Path) -> Iterator[StartFork]:
    """Start ``main.py``, with arguments, in processes that obey `tests.system.crashing`."""
    started: list[Service] = []

    def start_fork(
        settings: Settings, *arguments: str, ahead: int = 0, ready: bool = True
    ) -> tuple[Service, Fork]:
        if not arguments:
            processes.furnish(settings)
        output = tmp_path / f"fork{len(started) + 1}"
        fork = nursery.fork(settings, output, *arguments, ahead=ahead)
        service = Service(fork, output)
        started.append(service)
        if ready:
            service.wait_until_ready()
        return service, fork

    yield start_fork
    for service in started:
        service.kill()


@pytest.fixture
def inspect(request: pytest.FixtureRequest) -> Iterator[Inspect]:
    """Look at what a service with these settings holds, by other means than its own."""
    with ExitStack() as opened:

        def inspect(settings: Settings) -> Inside:
            if "DATABASE_URL" not in settings:
                return Inside(LocalDisk(settings), SqliteRows(settings))
            server: servers.PostgresServer = request.getfixturevalue("postgres_server")
            rows: Rows = PostgresRows(settings, server)
            if settings["ACTIVE_STORAGE"] == "database":
                return Inside(Tables(settings, server), rows)
            bucket = Bucket(settings)
            opened.callback(bucket.close)
            store: Store = bucket
            return Inside(store, rows)

        yield inspect


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run ``main.py`` with arguments to its end."""

    def run(
        settings: Settings, *arguments: str, given: str = ""
    ) -> subprocess.CompletedProcess[str]:
        return processes.run_fork(settings, tmp_path, *arguments, given=given)

    return run
