"""Two PostgreSQL servers: a primary, and a replica without which no commit is acknowledged."""

import secrets
import shutil
import signal
import subprocess
from contextlib import ExitStack
from typing import Final

from tests.daemon import Daemon
from tests.servers import (
    POSTGRES_BIN,
    POSTGRES_PREFIX,
    PostgresServer,
    free_ports,
    initialise_postgres,
    new_folder,
)
from tests.system.processes import wait_for

DATABASE: Final = "holdall"
_SYNCHRONOUS: Final = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"


class Node:
    """A PostgreSQL server; ``name`` is what the other one knows it by."""

    def __init__(self, name: str, password: str) -> None:
        self.name = name
        (self.port,) = free_ports(1)
        folder = new_folder(f"postgres-{name}")
        self.data = folder / "data"
        self.server = PostgresServer(f"postgresql://postgres:{password}@{self.address}/postgres")
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": folder,
            "cluster_name": name,
            "dynamic_shared_memory_type": "mmap",  # in its folder, where a kill leaves nothing
        }
        # where root starts it, its shared memory goes with its namespace
        prefix = (*POSTGRES_PREFIX, "--ipc") if POSTGRES_PREFIX else ()
        command = [*prefix, str(POSTGRES_BIN / "postgres"), "-D", str(self.data)]
        command += [f"--{key}={value}" for key, value in settings.items()]
        self.process = Daemon(command, folder, is_ready=self._is_ready, stop_signal=signal.SIGINT)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def copy(self, primary: "Node") -> None:
        """Become a replica of a running server, whatever was here before."""
        if self.data.exists():
            shutil.rmtree(self.data)
        command = [*POSTGRES_PREFIX, str(POSTGRES_BIN / "pg_basebackup"), "-D", str(self.data)]
        command += ["-d", primary.server.dsn, "-R", "-X", "stream", "-C", "-S", self.name]
        subprocess.run([*command, "-c", "fast"], check=True)

    def require(self, replica: "Node") -> None:
        """Acknowledge no commit that the replica has not on its disk; waits for the replica."""
        self.server.execute(f"ALTER SYSTEM SET synchronous_standby_names = '{replica.name}'")
        self.server.execute("SELECT pg_reload_conf()")
        wait_for(lambda: self.server.execute(_SYNCHRONOUS).strip() == "1")

    def _is_ready(self) -> bool:
        command = [str(POSTGRES_BIN / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(command, check=False).returncode == 0


class Pair:
    """The primary and its replica, which change their parts when the former is lost."""

    def __init__(self, running: ExitStack) -> None:
        password = secrets.token_hex(16)
        nodes = []
        for name in ("a", "b"):
            nodes.append(Node(name, password))
            running.callback(nodes[-1].process.close)
        self.primary, self.replica = nodes
        hosts = ",".join(node.address for node in nodes)
        self.url = (
            f"postgresql://postgres:{password}@{hosts}/{DATABASE}?target_session_attrs=primary"
        )
        initialise_postgres(self.primary.data, password)
        self.primary.process.start()
        self.primary.server.execute(f"CREATE DATABASE {DATABASE}")
        self.pair()

    def pair(self) -> None:
        """Make the replica anew from the primary, and wait until commits wait for it."""
        self.replica.copy(self.primary)
        self.replica.process.start()
        self.primary.require(self.replica)

    def lose_primary(self) -> None:
        """Kill the primary, and promote the replica, which serves alone from then on."""
        self.primary.process.kill()
        self.replica.server.execute("SELECT pg_promote()")
        self.primary, self.replica = self.replica, self.primary
