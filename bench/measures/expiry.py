"""A hundred thousand dumps that expire at once, and what the API feels of it."""

import asyncio
import secrets
import threading
from collections.abc import Callable

from bench import load, rows
from bench.measures.health import probe
from bench.result import HOLDALL, Plan, Result, Target, percentile
from bench.servers import Server, holdall
from tests.servers import postgres_server

RATE, TIMES = 2000, 2
IDLE = 5.0  # seconds


def expiry(plan: Plan) -> list[Result]:
    """Measure how fast rows, charges and bytes go, beside requests every 10 ms."""
    count = plan.rows // 10
    with postgres_server(durable=True) as postgres:
        url = postgres.create_database()
        settings = {"DATABASE_URL": url, "SIGNING_KEY": secrets.token_hex(32)}
        with holdall(**settings) as server:
            load.seed(server, "probe-", 1)
            idle = _while(server, lambda: threading.Event().wait(IDLE))
            rate = 0.0

            def expire() -> None:
                nonlocal rate
                rate = asyncio.run(rows.expire_dumps(server, url, count))

            busy = _while(server, expire)
    p99 = percentile(busy, 99)
    return [
        Result(
            f"expiring {count:,} objects at once, PostgreSQL and local disk",
            "/s",
            {HOLDALL: [rate]},
            [
                Target(f"≥ {RATE:,}/s", rate, RATE),
                Target("GET p99 ≤ 2x idle", p99 / percentile(idle, 99), TIMES, at_least=False),
            ],
            [f"GET p99 {p99:.1f} ms, idle {percentile(idle, 99):.1f} ms"],
        )
    ]


def _while(server: Server, work: Callable[[], object]) -> list[float]:
    """Ask for a blob as long as a thread works; returns the times in milliseconds."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised below, in the right thread
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    times = probe(server, server.api.read.replace("{id}", "probe-0"), thread.is_alive)
    thread.join()
    if errors:
        raise errors[0]
    return times
