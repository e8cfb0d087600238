"""How long /healthz takes while four large uploads keep the process busy."""

import http.client
import os
import time
from collections.abc import Callable
from contextlib import ExitStack
from itertools import count

from bench import client
from bench.result import GIB, HOLDALL, Plan, Result, Target, interleave, percentile
from bench.servers import Server, holdall, nginx

UPLOADS = 4
INTERVAL = 0.01
"""Seconds from one probe to the next."""

LIMIT = 25
"""Milliseconds."""


def health_latency(plan: Plan) -> list[Result]:
    """Probe Holdall, and nginx for what the machine itself adds."""
    with holdall() as ours, nginx() as theirs:
        rounds: dict[str, list[list[float]]] = {ours.name: [], theirs.name: []}
        tasks = {server.name: _task(server, plan, rounds[server.name]) for server in (ours, theirs)}
        figures = interleave(plan.rounds, tasks)
    # The first round isn't counted here either.
    probes = {name: [time for times in kept[1:] for time in times] for name, kept in rounds.items()}
    work = f"/healthz p99 during {UPLOADS} uploads of {plan.large / GIB:g} GiB"
    target = Target(
        f"≤ {LIMIT} ms (all rounds)", percentile(probes[HOLDALL], 99), LIMIT, at_least=False
    )
    notes = [
        f"{name}: {len(times)} probes, median {percentile(times, 50):.1f} ms,"
        f" longest {max(times):.1f} ms"
        for name, times in probes.items()
    ]
    return [Result(work, "ms", figures, [target], notes)]


def _task(server: Server, plan: Plan, probes: list[list[float]]) -> Callable[[], float]:
    """Make a task that returns the p99 in milliseconds and keeps the single times."""
    numbers = count()

    def task() -> float:
        os.sync()
        blobs = [f"busy{next(numbers)}" for _ in range(UPLOADS)]
        with ExitStack() as running:
            uploads = []
            for blob in blobs:
                call = server.call("PUT", server.api.content, blob)
                uploads.append(running.enter_context(client.start(call, "put", plan.large)))
            for upload in uploads:
                client.wait_until_begun(upload)
            times = probe(server, server.api.health, lambda: all(u.poll() is None for u in uploads))
            for upload in uploads:
                client.finish(upload)
        for blob in blobs:
            server.remove(blob)
        probes.append(times)
        return percentile(times, 99)

    return task


def probe(server: Server, target: str, goes_on: Callable[[], bool]) -> list[float]:
    """Ask every 10 ms as long as it goes on and return each time in milliseconds.

    A probe that is late because the one before it took so long counts from when it was due, so
    that one long stall isn't taken for a single slow answer.
    """
    times: list[float] = []
    headers = server.typed_headers()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    due = time.perf_counter()
    while not times or goes_on():
        begin = due
        if (early := due - time.perf_counter()) > 0:
            time.sleep(early)
            begin = time.perf_counter()
        connection.request("GET", target, headers=headers)
        with connection.getresponse() as answer:
            answer.read()
            if answer.status != 200:
                raise client.WrongAnswer(f"{target} of {server.name}: {answer.status}")
        times.append((time.perf_counter() - begin) * 1000)
        due += INTERVAL
    connection.close()
    return times
