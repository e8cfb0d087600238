"""Blobs of 1 KiB as JSON over 32 connections: how many a second are stored and read."""

import secrets
import statistics
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import count

from bench import load
from bench.result import HOLDALL, Figures, Plan, Result, Target, interleave, median, targets
from bench.servers import Server, drf, seaweed_filer, side_by_side
from tests.servers import postgres_server

Loads = dict[str, list[load.Load]]
"""What was seen in each round, by the name of what was measured."""

COSTS = "p50, p99 and the server's CPU time a request in ms, medians: "


def objects(plan: Plan) -> list[Result]:
    """Measure POST and GET on the default storage, against Django and SeaweedFS's filer."""
    with ExitStack() as running:
        makes = side_by_side(plan, drf, seaweed_filer)
        servers = [running.enter_context(make()) for make in makes]
        posts, post_note = _measure(servers, plan, "POST")
        gets, get_note = _measure(servers, plan, "GET")
    post_peers = {"Django REST framework": 3, "SeaweedFS filer": 0.9}
    post_targets = targets(plan, posts, post_peers, _rate(posts, 3000))
    get_targets = targets(plan, gets, {"Django REST framework": 3}, _rate(gets, 4000))
    post_notes = [post_note]
    if plan.against is None:
        post_notes.append("Holdall and Django sync before they answer, the filer doesn't")
    return [
        Result("POST of a 1 KiB blob", "/s", posts, post_targets, post_notes),
        Result("GET of a 1 KiB blob", "/s", gets, get_targets, [get_note]),
    ]


def objects_on_postgres(plan: Plan) -> list[Result]:
    """Measure the same with PostgreSQL for metadata; its fsync stays on."""
    with postgres_server(durable=True) as postgres:
        key = secrets.token_hex(32)
        with ExitStack() as running:
            servers = [
                running.enter_context(
                    make(DATABASE_URL=postgres.create_database(), SIGNING_KEY=key)
                )
                for make in side_by_side(plan)
            ]
            posts, post_note = _measure(servers, plan, "POST")
            gets, get_note = _measure(servers, plan, "GET")
    work = "of a 1 KiB blob, PostgreSQL"
    post_targets = targets(plan, posts, {}, _rate(posts, 1500))
    get_targets = targets(plan, gets, {}, _rate(gets, 2000))
    return [
        Result(f"POST {work}", "/s", posts, post_targets, [post_note]),
        Result(f"GET {work}", "/s", gets, get_targets, [get_note]),
    ]


def _measure(servers: Sequence[Server], plan: Plan, method: str) -> tuple[Figures, str]:
    """Return the rates of each server and a note on what a request takes."""
    figures, loads = measure(servers, plan, method)
    return figures, note(loads)


def measure(servers: Sequence[Server], plan: Plan, method: str) -> tuple[Figures, Loads]:
    """Return the rates of each server, and what was seen in each round that counts."""
    loads: Loads = {server.name: [] for server in servers}
    make_task = _post_task if method == "POST" else _get_task
    tasks = {server.name: make_task(server, plan, loads[server.name]) for server in servers}
    figures = interleave(plan.rounds, tasks)
    return figures, {name: done[1:] for name, done in loads.items()}


def note(loads: Loads) -> str:
    """Return a note on what a request takes."""
    return COSTS + "; ".join(f"{name} {_costs(done)}" for name, done in loads.items())


def _costs(loads: Sequence[load.Load]) -> str:
    p50, p99, cpu = (
        statistics.median(getattr(it, what) for it in loads) for what in ("p50", "p99", "cpu")
    )
    return f"{p50:.1f}, {p99:.1f}, {cpu:.2f}"


def _post_task(server: Server, plan: Plan, done: list[load.Load]) -> Callable[[], float]:
    numbers = count()

    def task() -> float:
        done.append(load.create(server, f"post{next(numbers)}-", plan.seconds))
        return done[-1].rate

    return task


def _get_task(server: Server, plan: Plan, done: list[load.Load]) -> Callable[[], float]:
    load.seed(server, "get-", plan.seeded)

    def task() -> float:
        done.append(load.read(server, "get-", plan.seeded, plan.seconds))
        return done[-1].rate

    return task


def _rate(figures: Figures, limit: int) -> Target:
    return Target(f"≥ {limit:,}/s", median(figures, HOLDALL), limit)
