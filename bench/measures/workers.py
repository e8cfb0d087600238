"""Workers: how much more several do than one, on the cores that the client is on as well."""

import statistics
from contextlib import ExitStack

from app.config.cores import usable_cores
from bench.measures import small
from bench.result import ALONE, HOLDALL, Plan, Result, Target, beats
from bench.servers import holdall, holdall_alone, seaweed_filer

P99 = 100.0  # ms


def workers(plan: Plan) -> list[Result]:
    """Measure POST and GET of small blobs on SQLite, against one worker and SeaweedFS's filer."""
    count = max(2, usable_cores())
    with ExitStack() as running:
        servers = [
            running.enter_context(make)
            for make in (holdall(WORKERS=str(count)), holdall_alone(), seaweed_filer())
        ]
        posts, post_loads = small.measure(servers, plan, "POST")
        gets, get_loads = small.measure(servers, plan, "GET")
    p99 = statistics.median(load.p99 for load in post_loads[HOLDALL])
    filer = "SeaweedFS filer"
    return [
        Result(
            f"POST of a 1 KiB blob, {count} workers",
            "/s",
            posts,
            [
                beats(posts, ALONE, 1.0),
                Target("p99 ≤ 100 ms", p99, P99, at_least=False),
                beats(posts, filer, 0.8),
            ],
            [small.note(post_loads)],
        ),
        Result(
            f"GET of a 1 KiB blob, {count} workers",
            "/s",
            gets,
            [beats(gets, ALONE, 1.6), beats(gets, filer, 1.0)],
            [small.note(get_loads)],
        ),
    ]
