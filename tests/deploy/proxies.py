"""The configurations of ``deploy/`` for reverse proxies, on a test's ports and certificates."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.deploy import ROOT

HOST: Final = "files.example.org"
"""The host that all of them name."""

PREFIX: Final = "/holdall"
"""The path below which all of them can have it instead."""

_DEPLOY: Final = ROOT / "deploy"
_PATH: Final = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin"])
_TEMPORARY: Final = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


class NotInstalled(Exception):
    """The proxy's program isn't there; the message names it."""


@dataclass(frozen=True)
class Place:
    """Where a proxy runs: its folder, its ports, the port of Holdall, and the path it serves."""

    folder: Path
    https: int
    http: int
    holdall: int
    prefix: str

    @property
    def certificate(self) -> Path:
        return self.folder / "site.pem"

    @property
    def key(self) -> Path:
        return self.folder / "site.key"


def make_certificate(place: Place) -> None:
    """Make a certificate of the host, which vouches for itself."""
    line = ["openssl", "req", "-x509", "-nodes", "-days", "2", "-newkey", "ec"]
    line += ["-pkeyopt", "ec_paramgen_curve:P-256", "-subj", f"/CN={HOST}"]
    line += ["-addext", f"subjectAltName=DNS:{HOST}"]
    subprocess.run(
        [*line, "-keyout", str(place.key), "-out", str(place.certificate)],
        check=True,
        capture_output=True,
    )


def nginx(place: Place) -> list[str]:
    """Write the configuration of nginx, and return its command."""
    program = _program("nginx")
    site = _edited(
        "nginx.conf",
        _certificates(place)
        | {
            "127.0.0.1:8000": f"127.0.0.1:{place.holdall}",
            "listen 443": f"listen 127.0.0.1:{place.https}",
            "listen 80": f"listen 127.0.0.1:{place.http}",
            "location / {": f"location {place.prefix}/ {{",
        },
    )
    site = re.sub(r"\n *listen \[::\][^\n]*", "", site)
    folders = "".join(f"{n}_temp_path {place.folder}/temporary/{n} 1;\n" for n in _TEMPORARY)
    (place.folder / "temporary").mkdir()
    user = "user root;" if os.geteuid() == 0 else ""
    main = place.folder / "nginx.conf"
    main.write_text(
        f"daemon off; pid {place.folder}/nginx.pid; error_log stderr; {user}\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{folders}{site}}}\n"
    )
    return [program, "-e", "stderr", "-c", str(main)]


def caddy(place: Place) -> list[str]:
    """Write the configuration of Caddy, and return its command."""
    program = _program("caddy")
    handled = f"reverse_proxy {place.prefix}* 127" if place.prefix else "reverse_proxy 127"
    site = _edited(
        "Caddyfile",
        {
            "127.0.0.1:8000": f"127.0.0.1:{place.holdall}",
            "\n\treverse_proxy 127": f"\n\ttls {place.certificate} {place.key}\n\t{handled}",
        },
    )
    options = f"admin off\nhttp_port {place.http}\nhttps_port {place.https}\npersist_config off\n"
    options += f"default_bind 127.0.0.1\nskip_install_trust\nstorage file_system {place.folder}\n"
    main = place.folder / "Caddyfile"
    main.write_text(f"{{\n{options}}}\n{site}")
    return [program, "run", "--config", str(main)]


def traefik(place: Place) -> list[str]:
    """Write both halves of the configuration of Traefik, and return its command."""
    program = _program("traefik")
    rule = f"Host(`{HOST}`)"
    dynamic = place.folder / "traefik-holdall.yaml"
    edits = _certificates(place) | {"127.0.0.1:8000": f"127.0.0.1:{place.holdall}"}
    if place.prefix:
        edits[f"rule: {rule}\n"] = f"rule: {rule} && PathPrefix(`{place.prefix}`)\n"
    dynamic.write_text(_edited("traefik-holdall.yaml", edits))
    main = place.folder / "traefik.yaml"
    main.write_text(
        _edited(
            "traefik.yaml",
            {
                "address: :443": f"address: 127.0.0.1:{place.https}",
                "address: :80": f"address: 127.0.0.1:{place.http}",
                "/etc/traefik/traefik-holdall.yaml": str(dynamic),
            },
        )
    )
    return [program, f"--configfile={main}"]


PROXIES: Final[Mapping[str, Callable[[Place], list[str]]]] = {
    "nginx": nginx,
    "caddy": caddy,
    "traefik": traefik,
}


def _program(name: str) -> str:
    found = shutil.which(name, path=_PATH)
    if found is None:
        raise NotInstalled(f"{name} is not installed")
    return found


def _certificates(place: Place) -> dict[str, str]:
    return {
        f"/etc/ssl/certs/{HOST}.pem": str(place.certificate),
        f"/etc/ssl/private/{HOST}.key": str(place.key),
    }


def _edited(name: str, edits: Mapping[str, str]) -> str:
    """Return a file of ``deploy/`` with the edits that its reader makes."""
    text = (_DEPLOY / name).read_text()
    for old, new in edits.items():
        assert old in text, f"{name} has no {old!r}"
        text = text.replace(old, new)
    return text
