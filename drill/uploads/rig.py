"""Holdall on each database and store: a service whose process is killed, and comes back."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tests.servers import PostgresServer, S3Server, free_ports, postgres_server, s3_server
from tests.system.processes import DEADLINE, Fork, Nursery, Service, nursery
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

_DAYS: Final = 2 * 24 * 3600
"""Seconds after which every upload has expired, and every tombstone is due."""


@dataclass(frozen=True)
class Profile:
    """A database and a store."""

    database: str
    store: str

    @property
    def name(self) -> str:
        return f"{self.database}, {self.store}"


PROFILES: Final = [
    Profile(database, store)
    for database in ("SQLite", "PostgreSQL")
    for store in ("local disk", "S3", "PostgreSQL")
]


class Servers:
    """The servers that Holdall uses, started when they are first needed."""

    def __init__(self, running: ExitStack) -> None:
        self.nursery: Nursery = running.enter_context(nursery())
        self._running = running
        self._postgres: PostgresServer | None = None
        self._s3: S3Server | None = None

    @property
    def postgres(self) -> PostgresServer:
        if self._postgres is None:
            self._postgres = self._running.enter_context(postgres_server())
        return self._postgres

    @property
    def s3(self) -> S3Server:
        if self._s3 is None:
            self._s3 = self._running.enter_context(s3_server())
        return self._s3


class Holdall:
    """A service, whose processes follow each other on the same port."""

    def __init__(
        self, profile: Profile, servers: Servers, folder: Path, running: ExitStack
    ) -> None:
        (self.port,) = free_ports(1)
        self._nursery = servers.nursery
        self._folder = folder
        self._starts = 0
        self._settings = {"DATA_DIR": str(folder / "data"), "PORT": str(self.port)}
        rows, store = self._rows(profile, servers), self._store(profile, servers, running)
        self.inside = Inside(store, rows)
        running.callback(self.kill)
        self.start()

    def start(self) -> None:
        """Start a process, and wait until it serves."""
        self._starts += 1
        output = self._folder / f"service{self._starts}"
        self._fork: Fork = self._nursery.fork(self._settings, output)
        self.service = Service(self._fork, output)
        self.service.wait_until_ready()

    def kill(self) -> None:
        """End the process at once, as a crash would."""
        self.service.kill()

    def restart(self) -> None:
        """Kill the process, and start the next one."""
        self.kill()
        self.start()

    def pass_time(self) -> None:
        """Let all uploads expire that nobody went on with, and all be due that is to be deleted."""
        self._fork.ask("pass_time", _DAYS, "sweep", "expiry")

    def usage(self) -> list[int]:
        """Return how many bytes and objects the account is charged for."""
        usage = self.service.client.get("/v1/accounts/me").raise_for_status().json()["usage"]
        return [usage["bytes"], usage["objects"]]

    def fsck(self) -> list[str]:
        """Compare database and store, every byte included; returns what is wrong."""
        output = self._folder / "fsck"
        command = ("fsck", "--checksums")
        status = self._nursery.fork(self._settings, output, *command, ahead=_DAYS).wait(_PATIENCE)
        lines = output.with_suffix(".out").read_text().splitlines()
        return lines[:-1] if lines else [f"fsck ended with status {status}"]

    def _rows(self, profile: Profile, servers: Servers) -> Rows:
        if profile.database == "SQLite":
            self._settings["DATABASE_URL"] = f"sqlite:///{self._folder}/data/holdall.db"
            return SqliteRows(self._settings)
        self._settings["DATABASE_URL"] = servers.postgres.create_database()
        self._settings["SIGNING_KEY"] = "signs-the-tokens-of-one-drill-only"
        return PostgresRows(self._settings, servers.postgres)

    def _store(self, profile: Profile, servers: Servers, running: ExitStack) -> Store:
        if profile.store == "local disk":
            return LocalDisk(self._settings)
        if profile.store == "S3":
            self._settings |= _bucket(servers.s3)
            bucket = Bucket(self._settings)
            running.callback(bucket.close)
            return bucket
        self._settings["ACTIVE_STORAGE"] = "database"
        if profile.database == "PostgreSQL":
            return Tables(self._settings, servers.postgres)
        url = servers.postgres.create_database()
        self._settings |= _apart(url)
        return Tables({"DATABASE_URL": url}, servers.postgres)


_PATIENCE: Final = 10 * DEADLINE


def _bucket(server: S3Server) -> dict[str, str]:
    return {
        "ACTIVE_STORAGE": "s3",
        "S3_ENDPOINT_URL": server.endpoint_url,
        "S3_ACCESS_KEY_ID": server.access_key,
        "S3_SECRET_ACCESS_KEY": server.secret_key,
        "S3_REGION_NAME": server.region,
        "S3_BUCKET_NAME": server.create_bucket(),
    }


def _apart(url: str) -> dict[str, str]:
    """Return the settings that name a store's own PostgreSQL, beside a database that is none."""
    parts = urlsplit(url)
    return {
        "DB_USER": parts.username or "",
        "DB_PASSWORD": parts.password or "",
        "DB_HOST": parts.hostname or "",
        "DB_PORT": str(parts.port),
        "DB_NAME": parts.path.removeprefix("/"),
    }
