"""A ZIP of many files, made while it is sent, beside one download of as many bytes."""

import http.client
import json
import os
import time
from collections.abc import Callable
from contextlib import closing
from urllib.parse import urlsplit

from bench import client
from bench.result import HOLDALL, MIB, Figures, Plan, Result, Target, interleave, percentile, ratio
from bench.servers import Server, holdall

ALONE = "one GET of as many bytes"
LIMIT = 50
"""Milliseconds until the first byte."""


def archives(plan: Plan) -> list[Result]:
    """Measure the ZIP of a bundle of files of 1 MiB, and how soon it begins."""
    count = plan.large // MIB
    with holdall() as server:
        archive = _bundle(server, count)
        size = _size(server, archive)
        client.run(server.call("PUT", server.api.content, "one"), "put", size)
        whole = server.call("GET", server.api.content, "one")
        tasks = {HOLDALL: _rate(server.call("GET", archive), size), ALONE: _rate(whole, size)}
        rates = interleave(plan.rounds, tasks)
        firsts: Figures = interleave(plan.rounds, {HOLDALL: lambda: _first_byte(server, archive)})
    work = f"ZIP of {count:,} files of 1 MiB"
    latest = percentile(firsts[HOLDALL], 99)
    wanted = Target(f"≥ 0.5x {ALONE}", ratio(rates, HOLDALL, ALONE), 0.5)
    soon = Target(f"≤ {LIMIT} ms (all rounds)", latest, LIMIT, at_least=False)
    return [
        Result(work, "MiB/s", rates, [wanted]),
        Result(f"First byte of a {work}", "ms", firsts, [soon]),
    ]


def _bundle(server: Server, count: int) -> str:
    """Make a bundle of so many files; returns the target of its ZIP."""
    bundle = json.loads(server.ask("POST", "/v1/bundles", b"{}"))
    for number in range(count):
        blob = f"file-{number}"
        server.ask("PUT", server.api.content.replace("{id}", blob), os.urandom(MIB))
        pointer = json.dumps({"kind": "blob", "id": blob}).encode()
        server.ask("POST", f"/v1/bundles/{bundle['id']}/items", pointer)
    return f"{urlsplit(bundle['link']).path}?download=1"


def _rate(call: client.Call, size: int) -> Callable[[], float]:
    return lambda: size / MIB / client.run(call, "get", size).seconds


def _size(server: Server, target: str) -> int:
    with closing(_asked(server, "HEAD", target)) as connection, connection.getresponse() as answer:
        return int(answer.headers["Content-Length"])


def _first_byte(server: Server, target: str) -> float:
    begin = time.perf_counter()
    with closing(_asked(server, "GET", target)) as connection, connection.getresponse() as answer:
        answer.read(1)
        return (time.perf_counter() - begin) * 1000


def _asked(server: Server, method: str, target: str) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=client.TIMEOUT)
    connection.request(method, target, headers=server.typed_headers())
    return connection
