"""Counts of dumps by day and, of a signature, by version and platform; labels that there are."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, UpdateBase, delete, func, select, text, update

from app.database import Database
from app.dumps import counts as dump_counts
from app.dumps import groups as dump_groups
from app.dumps.counts import DAY
from app.dumps.entities import Counts, Filters
from app.dumps.search import searchable
from app.dumps.tables import dump_counts as counts_by_day
from app.dumps.tables import dumps, signature_counts
from tests.app.dumps.dump_rows import NOW, OURS, THEIRS, TODAY, TODAY_IN_DAYS, US, add, add_people

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
async def people(database: Database) -> None:
    """Two accounts, so that there is somebody whose dumps don't count."""
    await database.write(add_people)


async def test_days_are_those_of_utc(database: Database) -> None:
    def fill(connection: Connection) -> None:
        start = TODAY_IN_DAYS * DAY
        for moment in (start, start + 4, start - 1, start - 2 * DAY, start - 2 * DAY - 1):
            add(connection, moment)
        add(connection, start, account=THEIRS)

    await database.write(fill)
    counts = await database.read(dump_counts.count, US, Filters(), 3, NOW)
    day = timedelta(days=1)
    assert counts.days == [(TODAY - 2 * day, 1), (TODAY - day, 1), (TODAY, 2)]
    assert counts.total == 4
    assert counts.newest is None


CRASHES: Any = (
    {"version": "1.9", "platform": "linux", "label": "a 1.9"},
    {"version": "1.10", "platform": "windows", "label": "a 1.10"},
    {"version": "1.10", "platform": "linux", "label": "a 1.10", "archived": True},
    {"version": None, "platform": "linux"},
)


@pytest.mark.parametrize(
    ("filters", "days", "versions"),
    [
        (Filters(), [1, 5], []),
        (Filters(archived=False), [1, 4], []),
        (Filters(label="a 1.10"), [0, 2], []),
        (Filters(label="a 1.10", archived=True), [0, 1], []),
        (Filters(signature="f"), [1, 4], [("1.10", 2), ("1.9", 1), ("", 2)]),
        (Filters(signature="f", archived=False), [1, 3], [("1.10", 1), ("1.9", 1), ("", 2)]),
        (Filters(signature="f", version="1.10"), [0, 2], [("1.10", 2)]),
        (Filters(signature="f", platform="linux"), [1, 3], [("1.10", 1), ("1.9", 1), ("", 2)]),
        (Filters(signature="g"), [0, 1], [("", 1)]),
        # those below are counted one by one
        (Filters(version="1.10"), [0, 2], [("1.10", 2)]),
        (Filters(signature="f", label="a 1.9"), [0, 1], [("1.9", 1)]),
        (Filters(since=NOW), [0, 5], [("1.10", 2), ("1.9", 1), ("", 2)]),
        (Filters(until=NOW - 1), [1, 0], [("", 1)]),
        (Filters(q="needle"), [1, 0], [("", 1)]),
    ],
)
async def test_counts_obey_every_filter(
    database: Database, filters: Filters, days: list[int], versions: list[tuple[str, int]]
) -> None:
    def fill(connection: Connection) -> None:
        text = searchable(OURS, ["a needle"])
        add(connection, NOW - 2 * DAY, signature="f", platform="linux")
        add(connection, NOW - DAY, signature="f", platform="linux", search=text)
        for crash in CRASHES:
            add(connection, NOW, signature="f", **crash)
            add(connection, NOW, account=THEIRS, signature="f", **crash)
        add(connection, NOW, signature="g")
        add(connection, NOW, signature="f", version="1.10", label="a 1.10", expires_at=NOW)

    await database.write(fill)
    counts = await database.read(dump_counts.count, US, filters, 2, NOW)
    assert [count for _, count in counts.days] == days
    assert counts.versions == versions
    assert counts.newest is None
    assert sum(count for _, count in counts.platforms) == (counts.total if versions else 0)


async def test_of_many_the_newest_are_counted(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dump_counts, "NEWEST", 2)

    def fill(connection: Connection) -> None:
        for days in (1, 0, 0):
            add(connection, NOW - days * DAY, version="1")

    await database.write(fill)
    counts = await database.read(dump_counts.count, US, Filters(version="1"), 2, NOW)
    assert [count for _, count in counts.days] == [0, 2]
    assert counts.newest == 2


def run(connection: Connection, statement: UpdateBase) -> None:
    connection.execute(statement)


async def test_counts_follow_what_becomes_of_dumps(database: Database) -> None:
    """They are those of a fresh count, whatever has changed, and empty when all are gone."""

    def counted(connection: Connection) -> list[Counts]:
        found = []
        for filters in (Filters(), Filters(label="l"), *(Filters(signature=s) for s in "fg")):
            found += [dump_counts.count(connection, US, f, 2, NOW) for f in
                      (filters, replace(filters, archived=True))]  # fmt: skip
        return found

    def one_by_one(connection: Connection) -> list[Counts]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(dump_counts, "_kept", lambda *_: None)
            return counted(connection)

    def days(counts: list[Counts]) -> list[Any]:
        return [each.days for each in counts]

    def rows(connection: Connection) -> list[Any]:
        tables = (counts_by_day, signature_counts)
        return [row for table in tables for row in connection.execute(select(table))]

    def fill(connection: Connection) -> None:
        for signature in ("f", "f", None):
            add(connection, NOW, signature=signature, label="l", version="1", platform="linux")

    await database.write(fill)
    for change in (
        {"archived": True}, {"signature": "g"}, {"platform": "windows"}, {"version": "2"},
        {"version": None}, {"label": None}, {"created_at": NOW - DAY}, {"archived": False},
        {"signature": None}, {"signature": "f"},
    ):  # fmt: skip
        first = select(func.min(dumps.c.id)).scalar_subquery()
        await database.write(run, update(dumps).where(dumps.c.id == first).values(change))
        kept, fresh = await database.read(counted), await database.read(one_by_one)
        assert days(kept) == days(fresh), change
        assert [c.versions for c in kept[4:]] == [c.versions for c in fresh[4:]], change
    await database.write(run, delete(dumps))
    assert await database.read(rows) == []


async def test_counting_reads_no_dump_that_lives(database: Database) -> None:
    if type(database).__name__ != "SqliteDatabase":
        pytest.skip("PostgreSQL plans by what it knows of the rows, and there are none")

    def plans(connection: Connection) -> list[str]:
        asked: list[str] = []
        connection.connection.set_trace_callback(asked.append)
        dump_counts.count(connection, US, Filters(signature="f"), 30, NOW)
        dump_counts.count(connection, US, Filters(), 30, NOW)
        connection.connection.set_trace_callback(None)
        return [
            row.detail
            for statement in asked
            for row in connection.execute(text(f"EXPLAIN QUERY PLAN {statement}"))
        ]

    found = [plan for plan in await database.read(plans) if plan.startswith(("SEARCH", "SCAN"))]
    # none, or the few that have expired just now
    waiting = [
        "SEARCH dumps USING INDEX ix_dumps_account_id_dumps_id ",
        "SEARCH dumps USING COVERING INDEX ix_dumps_expires_at ",
        "SEARCH objects USING INTEGER PRIMARY KEY ",
    ]
    assert [plan.split("(")[0] for plan in found] == [
        *["SEARCH signature_counts USING PRIMARY KEY "] * 3,
        *waiting,
        "SEARCH dump_counts USING PRIMARY KEY ",
        *waiting,
    ]


async def test_labels_come_once_each_and_in_order(database: Database) -> None:
    assert await database.read(dump_groups.label_names, US, 10) == []

    def fill(connection: Connection) -> None:
        for label in ("b", "a", None, "b", "C", "é", "a"):
            add(connection, NOW, label=label)
        add(connection, NOW, account=THEIRS, label="theirs")

    await database.write(fill)
    assert await database.read(dump_groups.label_names, US, 10) == ["C", "a", "b", "é"]
    assert await database.read(dump_groups.label_names, US, 2) == ["C", "a"]
