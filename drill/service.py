"""Holdall's processes, and nginx before them with the configuration of ``deploy/``."""

import os
import ssl
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

import httpx

from tests.daemon import Daemon, StartError
from tests.deploy import ROOT, proxies
from tests.servers import free_ports, new_folder

PROCESSES: Final = 3


class Service:
    """Three processes of the same settings."""

    def __init__(self, running: ExitStack, settings: Mapping[str, str]) -> None:
        self._settings = {
            "PATH": os.environ["PATH"],
            "HOST": "127.0.0.1",
            "WORKERS": "1",
            **settings,
        }
        self.ports = free_ports(PROCESSES)
        self.processes = []
        for port in self.ports:
            folder = new_folder("drill")
            environment = self._settings | {"PORT": str(port), "DATA_DIR": str(folder)}
            daemon = Daemon(
                [*_in(environment), *_holdall()],
                folder,
                is_ready=partial(answers, f"http://127.0.0.1:{port}/readyz"),
            )
            running.callback(daemon.close)
            daemon.start()
            self.processes.append(daemon)

    def fsck(self, folder: Path) -> list[str]:
        """Compare database and store, every byte included; returns the lines of the report."""
        command = [*_in(self._settings), *_holdall("fsck", "--checksums")]
        done = subprocess.run(command, cwd=folder, check=False, text=True, stdout=subprocess.PIPE)
        lines = done.stdout.splitlines()
        if not lines:
            raise RuntimeError(f"fsck ended with status {done.returncode}")
        return lines


def _in(environment: Mapping[str, str]) -> list[str]:
    return ["env", "-i", *(f"{name}={value}" for name, value in environment.items())]


def _holdall(*arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "main.py"), *arguments]


class Nginx:
    """nginx with TLS; ``url`` is where clients come in, and ``context`` makes them trust it."""

    def __init__(self, running: ExitStack, ports: list[int]) -> None:
        folder = new_folder("nginx")
        https, http = free_ports(2)
        place = proxies.Place(folder, https, http, ports[0], "")
        proxies.make_certificate(place)
        command = proxies.nginx(place)
        _serve_all(folder / "nginx.conf", ports)
        self.url = f"https://127.0.0.1:{https}"
        self.context = ssl.create_default_context(cafile=place.certificate)
        self.context.check_hostname = False
        self.process = Daemon(
            command, folder, is_ready=partial(answers, f"{self.url}/healthz", self.context)
        )
        running.callback(self.process.close)
        self.process.start()


def _serve_all(configuration: Path, ports: list[int]) -> None:
    """Name all processes where the configuration names one."""
    text = configuration.read_text()
    one = f"server 127.0.0.1:{ports[0]};"
    if one not in text:
        raise StartError(f"{configuration} has no {one}")
    every = " ".join(f"server 127.0.0.1:{port};" for port in ports)
    configuration.write_text(text.replace(one, every))


def answers(url: str, context: ssl.SSLContext | None = None) -> bool:
    """Tell whether a request succeeds."""
    try:
        return httpx.get(url, verify=context or False, trust_env=False).is_success
    except httpx.HTTPError:
        return False
