"""A ZIP of many files, made while it is sent, beside one download of as many bytes."""

import http.client
import os
import time
from collections.abc import Callable
from contextlib import closing

from bench import client
from bench.result import HOLDALL, MIB, Figures, Plan, Result, Target, interleave, percentile, ratio
from bench.servers import Server, holdall

ARCHIVE = "/v1/accounts/me/takeout"
ALONE = "one GET of as many bytes"
LIMIT = 50
"""Milliseconds until the first byte."""


def archives(plan: Plan) -> list[Result]:
    """Measure a ZIP of files of 1 MiB, and how soon it begins."""
    count = plan.large // MIB
    with holdall() as server, holdall() as other:  # in one, the archive would have both
        for number in range(count):
            server.ask("PUT", server.api.content.replace("{id}", f"file-{number}"), os.urandom(MIB))
        archive = server.call("GET", ARCHIVE)
        size = _size(server)
        client.run(other.call("PUT", other.api.content, "one"), "put", size)
        whole = other.call("GET", other.api.content, "one")
        tasks = {HOLDALL: _rate(archive, size), ALONE: _rate(whole, size)}
        rates = interleave(plan.rounds, tasks)
        firsts: Figures = interleave(plan.rounds, {HOLDALL: lambda: _first_byte(server)})
    work = f"ZIP of {count:,} files of 1 MiB"
    soon = Target(
        f"≤ {LIMIT} ms (all rounds)", percentile(firsts[HOLDALL], 99), LIMIT, at_least=False
    )
    return [
        Result(
            work, "MiB/s", rates, [Target(f"≥ 0.5x {ALONE}", ratio(rates, HOLDALL, ALONE), 0.5)]
        ),
        Result(f"First byte of a {work}", "ms", firsts, [soon]),
    ]


def _rate(call: client.Call, size: int) -> Callable[[], float]:
    return lambda: size / MIB / client.run(call, "get", size).seconds


def _size(server: Server) -> int:
    with closing(_asked(server, "HEAD")) as connection, connection.getresponse() as answer:
        return int(answer.headers["Content-Length"])


def _first_byte(server: Server) -> float:
    begin = time.perf_counter()
    with closing(_asked(server, "GET")) as connection, connection.getresponse() as answer:
        answer.read(1)
        return (time.perf_counter() - begin) * 1000


def _asked(server: Server, method: str) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=client.TIMEOUT)
    connection.request(method, ARCHIVE, headers=server.typed_headers())
    return connection
