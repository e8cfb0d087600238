"""Dumps: a form of 1 GiB, crash reports by the hundred, and finding one among a million."""

import gzip
import json
import os
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from random import Random

from bench import client, load, rows
from bench.client import WrongAnswer
from bench.measures.large import put_task
from bench.result import GIB, HOLDALL, MIB, Figures, Plan, Result, Target, beats, interleave, median
from bench.servers import Server, drf, holdall, nginx
from tests.minidump_files import Minidump
from tests.servers import postgres_server

CONNECTIONS = 16
REPORT = 200 * 1024
"""Bytes of a dump; about a third of them can't be compressed."""

RATE, P99 = 300, 200
FOUND, COUNTED = 50, 20  # ms
REQUESTS = 20
SEARCHES = {
    "?q= of a text that few have": "/v1/dumps?q=needle-7",
    "?q= of a text that all have": "/v1/dumps?q=crashed",
    "?q= of a text that none has": "/v1/dumps?q=nowhere-at-all",
    "?label= that few have": "/v1/dumps?label=app%207777",
    "?label= that many have": "/v1/dumps?label=app%200",
}
COUNTS = {
    "labels": "/v1/dumps/labels",
    "signatures": "/v1/dumps/signatures",
    "signatures, the last seen": "/v1/dumps/signatures?sort=last_seen&state=open",
    "signatures, of a name that none has": "/v1/dumps/signatures?q=nowhere",
}
SIGNATURES = {
    "a signature": "?days=90",
    "a signature's version": "?days=90&version=1.7&platform=linux",
}


def form_upload(plan: Plan) -> list[Result]:
    """Measure a form of 1 GiB against raw PUTs."""
    with ExitStack() as running:
        ours, *peers = (running.enter_context(make()) for make in (holdall, nginx, drf))
        spent: dict[str, list[float]] = {peer.name: [] for peer in peers}
        tasks = {ours.name: _form_task(ours, plan.large)}
        tasks |= {peer.name: put_task(peer, plan.large, spent) for peer in peers}
        ours.tree.reset_peak()
        figures = interleave(plan.rounds, tasks)
        peak = ours.tree.peak() / MIB
    targets = [beats(figures, peers[0].name, 0.8), beats(figures, peers[1].name, 3)]
    targets.append(Target("≤ 150 MiB at its peak", peak, 150, at_least=False))
    work = f"multipart upload of {plan.large / GIB:g} GiB to dumps; the others a raw PUT"
    return [Result(work, "MiB/s", figures, targets)]


def crash_reports(plan: Plan) -> list[Result]:
    """Measure what Crashpad sends, 16 at once; each dump is read meanwhile."""
    with holdall() as server:
        body = server.folder / "report.gz"
        body.write_bytes(_report())
        headers = [client.FORM_TYPE, "Content-Encoding: gzip"]
        done = [
            load.post_file(
                server,
                "/v1/dumps/minidump",
                body,
                headers,
                connections=CONNECTIONS,
                seconds=plan.seconds,
            )
            for _ in range(plan.rounds + 1)
        ][1:]
    rates: Figures = {HOLDALL: [it.rate for it in done]}
    p99 = statistics.median(it.p99 for it in done)
    targets = [
        Target(f"≥ {RATE}/s", median(rates, HOLDALL), RATE),
        Target(f"p99 ≤ {P99} ms", p99, P99, at_least=False),
    ]
    note = f"{statistics.median(it.cpu for it in done):.1f} ms of CPU time a report, children too"
    work = f"Crashpad upload of {REPORT // 1024} KiB, gzip, {CONNECTIONS} at once"
    return [Result(work, "/s", rates, targets, [note])]


def search(plan: Plan) -> list[Result]:
    """Measure searches among a million dumps on both databases."""
    results = _searches("SQLite", plan, {})
    with postgres_server(durable=True) as postgres:
        settings = {"DATABASE_URL": postgres.create_database(), "SIGNING_KEY": "0" * 64}
        return results + _searches("PostgreSQL", plan, settings)


def _searches(name: str, plan: Plan, settings: dict[str, str]) -> list[Result]:
    with holdall(**settings) as server:
        rows.fill_dumps(server, plan.rows, settings.get("DATABASE_URL"))
        first = json.loads(server.ask("GET", "/v1/dumps/signatures?sort=count&limit=1"))["items"][0]
        of_one = {w: f"/v1/dumps/signatures/{first['id']}{q}" for w, q in SIGNATURES.items()}
        counts = COUNTS | of_one
        asked = {what: _asking(server, target) for what, target in (SEARCHES | counts).items()}
        figures = interleave(plan.rounds, asked)
    return [
        _answered(f"search among {plan.rows:,} dumps, {name}", figures, SEARCHES, FOUND),
        _answered(f"counts of {plan.rows:,} dumps, {name}", figures, counts, COUNTED),
    ]


def _answered(work: str, figures: Figures, asked: Mapping[str, str], limit: int) -> Result:
    slowest = max(median(figures, what) for what in asked)
    target = Target(f"≤ {limit} ms, the slowest", slowest, limit, at_least=False)
    return Result(work, "ms", {what: figures[what] for what in asked}, [target])


def _form_task(server: Server, size: int) -> Callable[[], float]:
    def task() -> float:
        os.sync()
        done = client.run(server.call("POST", "/v1/dumps", is_form=True), "put", size)
        for dump in json.loads(server.ask("GET", "/v1/dumps"))["items"]:
            server.ask("DELETE", f"/v1/dumps/{dump['id']}")
        return size / MIB / done.seconds

    return task


def _report() -> bytes:
    """Make a report as the uploaders send it: annotations first, then the minidump."""
    random, dump = Random(1), Minidump().write()
    dump += random.randbytes(REPORT // 3)
    dump += bytes(REPORT - len(dump))
    disposition = f"--{client.BOUNDARY}\r\nContent-Disposition: form-data; name="
    form = b"".join(
        f'{disposition}"{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in {"prod": "app", "ver": "1.2", "guid": "a" * 32}.items()
    )
    form += f'{disposition}"upload_file_minidump"; filename="a.dmp"\r\n'.encode()
    form += b"Content-Type: application/octet-stream\r\n\r\n" + dump
    return gzip.compress(form + f"\r\n--{client.BOUNDARY}--\r\n".encode())


def _asking(server: Server, target: str) -> Callable[[], float]:
    def task() -> float:
        begin = time.perf_counter()
        for _ in range(REQUESTS):
            answer = json.loads(server.ask("GET", target))
            if not answer.keys() & {"items", "days"}:
                raise WrongAnswer(f"{target}: {answer}")
        return (time.perf_counter() - begin) / REQUESTS * 1000

    return task
