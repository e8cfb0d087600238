"""Peak memory of Holdall's process while 5 GiB go in and out, on each storage."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from urllib.parse import urlsplit

from bench import client
from bench.measures.resumable import in_one, in_pieces
from bench.result import GIB, HOLDALL, MIB, Plan, Result, Target
from bench.servers import Server, holdall
from tests.servers import postgres_server, s3_server

LIMIT = 150
"""MiB."""


def peak_memory(plan: Plan) -> list[Result]:
    """Measure each storage with a fresh process; the bytes that come back are checked."""
    results = []
    for storage, running in _STORAGES.items():
        with running() as server:
            results += _measure(server, storage, plan)
    return results


@contextmanager
def _local() -> Iterator[Server]:
    with holdall() as server:
        yield server


@contextmanager
def _s3() -> Iterator[Server]:
    with (
        s3_server() as s3,
        holdall(
            ACTIVE_STORAGE="s3",
            S3_ENDPOINT_URL=s3.endpoint_url,
            S3_ACCESS_KEY_ID=s3.access_key,
            S3_SECRET_ACCESS_KEY=s3.secret_key,
            S3_BUCKET_NAME=s3.bucket,
            S3_REGION_NAME=s3.region,
        ) as server,
    ):
        yield server


@contextmanager
def _postgres() -> Iterator[Server]:
    with postgres_server(durable=True) as postgres:
        parts = urlsplit(postgres.create_database())
        with holdall(
            ACTIVE_STORAGE="database",
            DB_USER=parts.username or "",
            DB_PASSWORD=parts.password or "",
            DB_HOST=parts.hostname or "",
            DB_PORT=str(parts.port),
            DB_NAME=parts.path.removeprefix("/"),
            SIGNING_KEY=secrets.token_hex(32),
        ) as server:
            yield server


_STORAGES: dict[str, Callable[[], AbstractContextManager[Server]]] = {
    "local disk": _local,
    "S3": _s3,
    "PostgreSQL": _postgres,
}


def _measure(server: Server, storage: str, plan: Plan) -> list[Result]:
    results = []
    for way, how in ((in_one, ""), (in_pieces, " by tus")):
        call, action = way(server, way.__name__)
        sent, result = _transfer(server, call, action, f"upload{how}", storage, plan)
        results.append(result)
        call = server.call("GET", server.api.content, way.__name__)
        word = f"download of what came{how}" if how else "download"
        received, result = _transfer(server, call, "get", word, storage, plan)
        results.append(result)
        if received != sent:
            raise client.WrongAnswer(f"{storage} returned other bytes than it was sent")
        server.remove(way.__name__)
    return results


def _transfer(
    server: Server, call: client.Call, action: str, word: str, storage: str, plan: Plan
) -> tuple[str, Result]:
    """Return the digest of what was moved, and the peak meanwhile."""
    server.tree.reset_peak()
    before = server.tree.peak()
    done = client.run(call, action, plan.huge, digest=True)
    peak = server.tree.peak() / MIB
    children = server.tree.children_peak() / MIB
    rate = plan.huge / MIB / done.seconds
    note = f"{before / MIB:.0f} MiB before; {rate:.0f} MiB/s; idle children {children:.0f} MiB"
    target = Target(f"≤ {LIMIT} MiB", peak, LIMIT, at_least=False)
    work = f"peak memory, {word} of {plan.huge / GIB:g} GiB, {storage}"
    return done.sha256, Result(work, "MiB", {HOLDALL: [peak]}, [target], [note])
