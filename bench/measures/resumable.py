"""Bodies of 1 GiB that arrive in several requests, beside those that arrive in one."""

import base64
import os
import statistics
from collections.abc import Callable
from dataclasses import replace
from itertools import count

from bench import client
from bench.client import Call, WrongAnswer
from bench.result import GIB, HOLDALL, MIB, Figures, Plan, Result, Target, beats, interleave, ratio
from bench.servers import Server, holdall, tus_server

PEER = "@tus/server"
IN_ONE = "Holdall's own PUT"
WHOLE = "of one stored whole"

Spent = dict[str, list[float]]
"""CPU seconds of each round, by the name of what was measured."""


def resumable(plan: Plan) -> list[Result]:
    """Measure an upload by tus in pieces of 64 MiB, then a GET of what is stored so."""
    size = f"{plan.large / GIB:g} GiB"
    with holdall() as server, tus_server() as peer:
        spent: Spent = {HOLDALL: [], IN_ONE: [], PEER: []}
        tasks = {
            HOLDALL: _upload(server, in_pieces, plan.large, spent[HOLDALL]),
            IN_ONE: _upload(server, in_one, plan.large, spent[IN_ONE]),
            PEER: _peers_upload(peer, plan.large, spent[PEER]),
        }
        up = interleave(plan.rounds, tasks)
        wanted = [beats(up, IN_ONE, 0.8), beats(up, PEER, 2)]
        work = f"{size} by tus in pieces of {client.BLOCK // MIB} MiB"
        notes = [_cpu(spent, plan), f"{PEER} neither hashes nor syncs"]
        uploads = Result(work, "MiB/s", up, wanted, notes)
        return [uploads, _downloads(server, plan, f"GET of {size} that came so")]


def in_pieces(server: Server, blob: str) -> tuple[Call, str]:
    """Return the request that creates a blob's upload by tus, and the action that goes on."""
    pairs = (("kind", "blob"), ("id", blob))
    metadata = ",".join(f"{key} {base64.b64encode(it.encode()).decode()}" for key, it in pairs)
    call = server.call("POST", "/v1/uploads")
    return replace(call, headers=[*call.headers, f"Upload-Metadata: {metadata}"]), "pieces"


def in_one(server: Server, blob: str) -> tuple[Call, str]:
    """Return the request that uploads a blob, and its action."""
    return server.call("PUT", server.api.content, blob), "put"


Way = Callable[[Server, str], tuple[Call, str]]


def _upload(server: Server, way: Way, size: int, spent: list[float]) -> Callable[[], float]:
    numbers = count()

    def task() -> float:
        blob = f"{way.__name__}-{next(numbers)}"
        rate = _rate(server, *way(server, blob), size, spent)
        server.remove(blob)
        return rate

    return task


def _peers_upload(peer: Server, size: int, spent: list[float]) -> Callable[[], float]:
    def task() -> float:
        rate = _rate(peer, peer.call("POST", peer.api.create), "pieces", size, spent)
        for path in (peer.folder / "files").iterdir():
            path.unlink()
        return rate

    return task


def _downloads(server: Server, plan: Plan, work: str) -> Result:
    spent: Spent = {HOLDALL: [], WHOLE: []}
    tasks = {}
    for name, way in ((HOLDALL, in_pieces), (WHOLE, in_one)):
        blob = f"download-{way.__name__}"
        sent = client.run(*way(server, blob), plan.large, digest=True)
        call = server.call("GET", server.api.content, blob)
        if client.run(call, "get", plan.large, digest=True).sha256 != sent.sha256:
            raise WrongAnswer("other bytes came back than were sent")
        tasks[name] = _download(server, call, plan.large, spent[name])
    figures: Figures = interleave(plan.rounds, tasks)
    wanted = [Target(f"≥ 0.95x {WHOLE}", ratio(figures, HOLDALL, WHOLE), 0.95)]
    return Result(work, "MiB/s", figures, wanted, [_cpu(spent, plan)])


def _download(server: Server, call: Call, size: int, spent: list[float]) -> Callable[[], float]:
    return lambda: _rate(server, call, "get", size, spent)


def _rate(server: Server, call: Call, action: str, size: int, spent: list[float]) -> float:
    """Return the MiB a second of a transfer; before it, the disk has written everything."""
    os.sync()
    before = server.tree.cpu_seconds()
    done = client.run(call, action, size)
    spent.append(server.tree.cpu_seconds() - before)
    return size / MIB / done.seconds


def _cpu(spent: Spent, plan: Plan) -> str:
    costs = (
        f"{name} {statistics.median(seconds[1:]) * GIB / plan.large:.2f}"
        for name, seconds in spent.items()
    )
    return f"CPU seconds per GiB: {', '.join(costs)}"
