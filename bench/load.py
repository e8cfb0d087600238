"""The load of the small requests: wrk, with ids and bodies that are never the same twice."""

import base64
import http.client
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from bench.servers import Server

SCRIPT = Path(__file__).with_name("load.lua")
SIZE = 1024
"""Bytes of a small blob, decoded."""

CONNECTIONS = 32
# The script's 16 hexadecimal digits come in front: as text of a raw body, as 12 bytes of base64.
# It is random, so that no server gains by compressing it.
FILLING_JSON = base64.b64encode(Random(1).randbytes(SIZE - 12)).decode()
FILLING_RAW = FILLING_JSON[: SIZE - 16]


class LoadFailed(Exception):
    """wrk is missing, or some requests of a load failed; a rate of failures would mean nothing."""


@dataclass(frozen=True)
class Load:
    """One run of wrk: requests a second, latencies and the server's CPU time in milliseconds."""

    rate: float
    p50: float
    p99: float
    cpu: float


def create(server: Server, prefix: str, seconds: int) -> Load:
    """POST (or PUT) blobs of 1 KiB whose ids begin with ``prefix``, over 32 connections."""
    form = "json" if server.api.is_json else "raw"
    method, target = server.api.create_method, server.api.create
    return _wrk(server, method, target, form=form, prefix=prefix, count=0, seconds=seconds)


def read(server: Server, prefix: str, count: int, seconds: int) -> Load:
    """GET the blobs that `seed` made, in turn, over 32 connections."""
    return _wrk(
        server, "GET", server.api.read, form="none", prefix=prefix, count=count, seconds=seconds
    )


def post_file(
    server: Server,
    target: str,
    path: Path,
    headers: Sequence[str],
    *,
    connections: int,
    seconds: int,
) -> Load:
    """POST the same body, a file's, over and over."""
    return _wrk(
        server,
        "POST",
        target,
        form="file",
        prefix="",
        count=0,
        seconds=seconds,
        file=path,
        headers=headers,
        connections=connections,
    )


def seed(server: Server, prefix: str, count: int) -> None:
    """Make the blobs ``prefix0`` to ``prefix<count - 1>`` and check the last one's bytes."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    headers = server.typed_headers()
    for number in range(count):
        name = f"{prefix}{number}"
        target = server.api.create.replace("{id}", name)
        connection.request(server.api.create_method, target, body_of(server, name, number), headers)
        with connection.getresponse() as answer:
            answer.read()
            if answer.status != 201:
                raise LoadFailed(f"{server.name} answered {answer.status} to {name}")
    connection.close()
    got = server.ask("GET", server.api.read.replace("{id}", f"{prefix}{count - 1}"))
    if _data(got, server) != _data(body_of(server, "", count - 1), server):
        raise LoadFailed(f"{server.name} returned other bytes: {got[:200]!r}")


def body_of(server: Server, name: str, number: int) -> bytes:
    """Return the body that the script makes for the blob ``number``."""
    if not server.api.is_json:
        return f"{number:016x}{FILLING_RAW}".encode()
    return json.dumps({"id": name, "data": f"{number:016x}{FILLING_JSON}"}).encode()


def _data(body: bytes, server: Server) -> bytes:
    return base64.b64decode(json.loads(body)["data"]) if server.api.is_json else body


def _wrk(
    server: Server,
    method: str,
    target: str,
    *,
    form: str,
    prefix: str,
    count: int,
    seconds: int,
    file: Path | None = None,
    headers: Sequence[str] = (),
    connections: int = CONNECTIONS,
) -> Load:
    wrk = shutil.which("wrk")
    if wrk is None:
        raise LoadFailed("wrk is not installed: apt install wrk")
    environment = {
        "LOAD_METHOD": method,
        "LOAD_TARGET": target,
        "LOAD_FORM": form,
        "LOAD_PREFIX": prefix,
        "LOAD_COUNT": str(count),
        "LOAD_FILE": str(file or ""),
        "LOAD_HEADERS": "\n".join(headers),
        "LOAD_FILLING": FILLING_JSON if form == "json" else FILLING_RAW,
        "LOAD_AUTHORIZATION": "".join(server.headers()).partition(": ")[2],
    }
    command = [wrk, "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s"]
    command += ["-s", str(SCRIPT), f"http://127.0.0.1:{server.port}/"]
    spent = server.tree.cpu_seconds()
    done = subprocess.run(
        command,
        env={**os.environ, **environment},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=seconds + 90,
    )
    spent = server.tree.cpu_seconds() - spent
    facts = json.loads(done.stdout.strip().rpartition("\n")[2])
    if facts["refused"] or facts["broken"] or not facts["requests"]:
        raise LoadFailed(f"{server.log()[-2000:]}\n{server.name}: {facts}")
    cpu = spent / facts["requests"] * 1000
    return Load(facts["requests"] / facts["seconds"], facts["p50"], facts["p99"], cpu)
