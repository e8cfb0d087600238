"""A page of 100 blobs at the millionth row, against the first page."""

import http.client
import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypedDict
from urllib.parse import quote

from bench import load
from bench.client import WrongAnswer
from bench.result import HOLDALL, Plan, Result, Target, interleave, ratio
from bench.servers import Server, holdall

PAGE = 100
REQUESTS = 10
"""Requests of one round; a single one is over too soon to be measured well."""


class Page(TypedDict):
    """What a list answers."""

    items: list[object]
    next_cursor: str


FIRST, LAST = "first page", HOLDALL
TABLES = {"objects": "id", "object_bytes": "object_id", "blobs": "id"}
"""The tables that a small blob has a row in, and what numbers their rows."""


def last_page(plan: Plan) -> list[Result]:
    """Page through the API to the last row, then ask for the first and the last page in turn."""
    with holdall() as server:
        load.seed(server, "list-", 1)
        _fill(server.folder / "data", plan.rows - 1)
        last = _page_through(server, plan.rows)
        rounds = plan.rounds * 4
        tasks = {LAST: _task(server, _target(PAGE, last)), FIRST: _task(server, _target(PAGE))}
        figures = interleave(rounds, tasks)
    target = Target("≤ 1.5x the first page", ratio(figures, LAST, FIRST), 1.5, at_least=False)
    note = f"SQLite; means of {REQUESTS} requests in {rounds} rounds"
    return [Result(f"list {PAGE} blobs at row {plan.rows:,}", "ms", figures, [target], [note])]


def _fill(data: Path, rows: int) -> None:
    """Copy the one blob that is there, in SQL: a million POSTs would take minutes."""
    files = [path for path in data.iterdir() if path.is_file() and _is_sqlite(path)]
    with closing(sqlite3.connect(files[0], isolation_level=None, timeout=30)) as database:
        (source,) = database.execute("SELECT max(id) FROM blobs").fetchone()
        (object_id,) = database.execute("SELECT object_id FROM blobs").fetchone()
        database.execute("BEGIN IMMEDIATE")
        for table, key in TABLES.items():
            columns = [row[1] for row in database.execute(f"PRAGMA table_info({table})")]
            values = {key: f"{key} + n", "object_id": "object_id + n", "name": "name || '-' || n"}
            copied = ", ".join(values.get(column, column) for column in columns)
            database.execute(
                "WITH RECURSIVE numbers(n) AS"
                " (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)"
                f" INSERT INTO {table} ({', '.join(columns)})"
                f" SELECT {copied} FROM {table}, numbers WHERE {table}.{key} = ?",
                (rows, source if table == "blobs" else object_id),
            )
        database.execute("COMMIT")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _is_sqlite(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(15) == b"SQLite format 3"


def _page_through(server: Server, rows: int) -> str:
    """Read pages of 1,000 rows until 100 are left and return the cursor of these."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    cursor, left = "", rows
    while left > PAGE:
        limit = min(1000, left - PAGE)
        page = _ask(connection, server, _target(limit, cursor))
        cursor, left = page["next_cursor"], left - limit
    connection.close()
    return cursor


def _task(server: Server, target: str) -> Callable[[], float]:
    """Make a task that returns the milliseconds of a page."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)

    def task() -> float:
        begin = time.perf_counter()
        for _ in range(REQUESTS):
            page = _ask(connection, server, target)
        seconds = time.perf_counter() - begin
        if len(page["items"]) != PAGE:
            raise WrongAnswer(f"{target}: {len(page['items'])} rows")
        return seconds / REQUESTS * 1000

    return task


def _target(limit: int, cursor: str = "") -> str:
    return f"/v1/blobs?limit={limit}" + (f"&cursor={quote(cursor)}" if cursor else "")


def _ask(connection: http.client.HTTPConnection, server: Server, target: str) -> Page:
    connection.request("GET", target, headers=server.typed_headers())
    with connection.getresponse() as answer:
        body = answer.read()
        if answer.status != 200:
            raise WrongAnswer(f"GET {target}: {answer.status} {body[:500]!r}")
    page: Page = json.loads(body)
    return page
