"""Bodies of 1 GiB, up and down, against servers of plain files."""

import os
import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count

from bench import client
from bench.result import (
    GIB,
    HOLDALL,
    MIB,
    Figures,
    Plan,
    Result,
    Target,
    interleave,
    ratio,
    targets,
)
from bench.servers import Server, copyparty, drf, nginx, side_by_side

SLOW_READERS = 8
DIFFERENCES = (
    "Holdall hashes (SHA-256) and syncs to disk before it answers; copyparty hashes (SHA-512);"
    " nginx and Django do neither"
)
BESIDE, ALONE = HOLDALL, "the same alone"


def upload(plan: Plan) -> list[Result]:
    """Measure a raw PUT; before each one the disk has written all that came before."""
    with _all_servers(plan) as servers:
        spent: dict[str, list[float]] = {server.name: [] for server in servers}
        tasks = {server.name: put_task(server, plan.large, spent) for server in servers}
        figures = interleave(plan.rounds, tasks)
    wanted = targets(plan, figures, {"nginx": 1.3, "copyparty": 1.3})
    notes = [_cpu_note(spent, plan)]
    if plan.against is None:
        notes.append(DIFFERENCES)
    return [Result(f"PUT of {_size(plan.large)}", "MiB/s", figures, wanted, notes)]


def download(plan: Plan) -> list[Result]:
    """Measure a GET from the page cache, then one beside slow readers."""
    with _all_servers(plan) as servers:
        for server in servers:
            _store(server, plan.large)
        spent: dict[str, list[float]] = {server.name: [] for server in servers}
        tasks = {server.name: _get_task(server, plan.large, spent) for server in servers}
        figures = interleave(plan.rounds, tasks)
        crowd = _beside_slow_readers(servers[0], plan, tasks[HOLDALL])
    work = f"GET of {_size(plan.large)}"
    notes = [_cpu_note(spent, plan)]
    undisturbed = Target("≥ 0.9x the same alone", ratio(crowd, BESIDE, ALONE), 0.9)
    return [
        Result(work, "MiB/s", figures, targets(plan, figures, {"nginx": 0.75}), notes),
        Result(f"{work} beside {SLOW_READERS} slow readers", "MiB/s", crowd, [undisturbed]),
    ]


@contextmanager
def _all_servers(plan: Plan) -> Iterator[Sequence[Server]]:
    with ExitStack() as running:
        makes = side_by_side(plan, nginx, copyparty, drf)
        yield [running.enter_context(make()) for make in makes]


def put_task(server: Server, size: int, spent: dict[str, list[float]]) -> Callable[[], float]:
    """Make a task that returns the MiB a second of a raw PUT, and notes the CPU time it took."""
    numbers = count()

    def task() -> float:
        os.sync()
        blob = f"upload{next(numbers)}"
        before = server.tree.cpu_seconds()
        done = client.run(server.call("PUT", server.api.content, blob), "put", size)
        spent[server.name].append(server.tree.cpu_seconds() - before)
        server.remove(blob)
        return size / MIB / done.seconds

    return task


def _get_task(server: Server, size: int, spent: dict[str, list[float]]) -> Callable[[], float]:
    def task() -> float:
        before = server.tree.cpu_seconds()
        done = client.run(server.call("GET", server.api.content, "download"), "get", size)
        spent[server.name].append(server.tree.cpu_seconds() - before)
        return size / MIB / done.seconds

    return task


def _store(server: Server, size: int) -> None:
    call = server.call("PUT", server.api.content, "download")
    sent = client.run(call, "put", size, digest=True)
    call = server.call("GET", server.api.content, "download")
    if client.run(call, "get", size, digest=True).sha256 != sent.sha256:
        raise client.WrongAnswer(f"{server.name} returned other bytes than it was sent")


def _beside_slow_readers(server: Server, plan: Plan, alone: Callable[[], float]) -> Figures:
    def beside() -> float:
        call = server.call("GET", server.api.content, "download")
        with client.start(call, "slow", SLOW_READERS) as readers:
            client.wait_until_begun(readers)
            try:
                return alone()
            finally:
                readers.terminate()

    return interleave(plan.rounds, {BESIDE: beside, ALONE: alone})


def _cpu_note(spent: dict[str, list[float]], plan: Plan) -> str:
    costs = (
        f"{name} {statistics.median(seconds[1:]) * GIB / plan.large:.2f}"
        for name, seconds in spent.items()
    )
    return f"CPU seconds per GiB: {', '.join(costs)}"


def _size(size: int) -> str:
    return f"{size // GIB} GiB" if size >= GIB else f"{size // MIB} MiB"
