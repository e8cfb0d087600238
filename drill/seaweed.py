"""SeaweedFS in its parts: a master, three volume servers, a filer and a gateway for S3."""

import secrets
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from typing import Final

from tests.daemon import Daemon
from tests.servers import (
    WEED,
    S3Server,
    free_ports,
    new_folder,
    remove_sockets,
    s3_identities,
    s3_probe,
)

_VOLUMES: Final = 3
_COPIES: Final = "001"  # of each file: two, on different servers of a rack
_BUCKET: Final = "holdall"


class Weed:
    """The cluster: each part is a process of its own, which can be killed and started again."""

    def __init__(self, running: ExitStack) -> None:
        self._running = running
        _, self._master = self._server(
            "master", "-mdir=.", f"-defaultReplication={_COPIES}", "-telemetry=false"
        )
        cluster = f"-master={self._master}"
        self.volumes = [
            self._server("volume", cluster, "-dir=.", "-max=100")[0] for _ in range(_VOLUMES)
        ]
        _, filer = self._server("filer", cluster, "-defaultStoreDir=.", "-localSocket=socket")
        self.gateway, self.s3 = self._gateway(filer)

    def _server(self, name: str, *options: str) -> tuple[Daemon, str]:
        """Start a part that speaks its own protocol; returns it with its address."""
        port, grpc = free_ports(2)
        options = ("-ip=127.0.0.1", *options)
        daemon = self._start(name, port, grpc, options, lambda: _listens(port))
        return daemon, f"127.0.0.1:{port}.{grpc}"

    def _gateway(self, filer: str) -> tuple[Daemon, S3Server]:
        port, grpc = free_ports(2)
        url = f"http://127.0.0.1:{port}"
        s3 = S3Server(url, secrets.token_hex(8), secrets.token_hex(16), _BUCKET, "us-east-1")
        keys = new_folder("s3") / "s3.json"
        keys.write_text(s3_identities(s3.access_key, s3.secret_key))
        options = [f"-filer={filer}", f"-config={keys}", "-localSocket=socket"]
        options += ["-port.iceberg=0", "-port.lance=0"]
        # the first put makes the bucket
        can_put = s3_probe(url, s3.access_key, s3.secret_key, _BUCKET)
        return self._start("s3", port, grpc, options, can_put), s3

    def _start(
        self,
        name: str,
        port: int,
        grpc: int,
        options: Sequence[str],
        is_ready: Callable[[], bool],
    ) -> Daemon:
        command = [*WEED, name, "-ip.bind=127.0.0.1", f"-port={port}", f"-port.grpc={grpc}"]
        daemon = Daemon([*command, *options], new_folder(f"weed-{name}"), is_ready=is_ready)
        self._running.callback(remove_sockets, (port, grpc))
        self._running.callback(daemon.close)
        daemon.start()
        return daemon


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False
