"""Counts of dumps by day and by signature, and the labels that there are."""

import itertools
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert, text

from app.accounts.identity import Identity, Tier
from app.accounts.tables import accounts, tiers
from app.database import Database
from app.dumps import counts as dump_counts
from app.dumps import groups as dump_groups
from app.dumps.counts import DAY
from app.dumps.tables import dumps
from app.objects.tables import objects

pytestmark = pytest.mark.anyio

TODAY = date(2026, 3, 1)
TODAY_IN_DAYS = (datetime(2026, 3, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).days
NOW = TODAY_IN_DAYS * DAY + 5
OURS, THEIRS = 1, 2
TIER = Tier("t", (), False, False, None, None, None)
US = Identity(OURS, "1", "us", is_admin=False, tier=TIER, scopes=None, session=None)

_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
async def people(database: Database) -> None:
    """Two accounts, so that there is somebody whose dumps don't count."""

    def make(connection: Connection) -> None:
        tier = {
            "id": 1, "uuid": "t", "name": "t", "name_key": "t", "heights": "", "created_at": 0,
            "allow_original": False, "allow_links": False,
        }  # fmt: skip
        connection.execute(insert(tiers).values(tier))
        for number in (OURS, THEIRS):
            account = {
                "id": number, "uuid": str(number), "username": str(number), "tier_id": 1,
                "username_key": str(number), "is_admin": False, "is_active": True,
                "used_bytes": 0, "used_objects": 0, "created_at": 0,
            }  # fmt: skip
            connection.execute(insert(accounts).values(account))

    await database.write(make)


def add(connection: Connection, created_at: int, account: int = OURS, **facts: Any) -> None:  # noqa: ANN401 - columns
    number = next(_numbers)
    its = {"id": number, "account_id": account, "created_at": created_at}
    content = {
        "kind": "dumps", "state": "ready", "size": 1, "charged_bytes": 1, "charged_slots": 1,
    }  # fmt: skip
    connection.execute(insert(objects).values(its | content))
    default = {
        "uuid": str(number), "object_id": number, "archived": False, "modified_at": created_at,
        "report_state": "none", "original_name": "a", "search": "", "description": "",
        "annotations": "{}",
    }  # fmt: skip
    connection.execute(insert(dumps).values(its | default | facts))


async def test_days_are_those_of_utc(database: Database) -> None:
    def fill(connection: Connection) -> None:
        start = TODAY_IN_DAYS * DAY
        for moment in (start, start + 4, start - 1, start - 2 * DAY, start - 2 * DAY - 1):
            add(connection, moment)
        add(connection, start, account=THEIRS)

    await database.write(fill)
    counts = await database.read(dump_counts.count, US, 3, 10, NOW)
    day = timedelta(days=1)
    assert counts.days == [(TODAY - 2 * day, 1), (TODAY - day, 1), (TODAY, 2)]
    assert counts.total == 4
    assert counts.signatures == []


async def test_the_most_frequent_signatures_come_first(database: Database) -> None:
    def fill(connection: Connection) -> None:
        for signature in ("b", "c", "c", "a", "d", "c", "b", "a", None):
            add(connection, NOW, signature=signature)
        for _ in range(5):
            add(connection, NOW - DAY, signature="too old")
            add(connection, NOW, account=THEIRS, signature="theirs")

    await database.write(fill)
    counts = await database.read(dump_counts.count, US, 1, 3, NOW)
    assert counts.signatures == [("c", 3), ("a", 2), ("b", 2)]
    assert counts.total == 9


async def test_what_is_archived_counts_and_what_has_expired_does_not(database: Database) -> None:
    def fill(connection: Connection) -> None:
        add(connection, NOW, signature="a", archived=True)
        add(connection, NOW, signature="a", expires_at=NOW + 1)
        add(connection, NOW, signature="a", expires_at=NOW)

    await database.write(fill)
    counts = await database.read(dump_counts.count, US, 1, 3, NOW)
    assert counts.days == [(TODAY, 2)]
    assert counts.signatures == [("a", 2)]


async def test_counting_reads_no_dump_that_lives(database: Database) -> None:
    if type(database).__name__ != "SqliteDatabase":
        pytest.skip("PostgreSQL plans by what it knows of the rows, and there are none")

    def plans(connection: Connection) -> list[str]:
        asked: list[str] = []
        connection.connection.set_trace_callback(asked.append)
        dump_counts.count(connection, US, 30, 10, NOW)
        connection.connection.set_trace_callback(None)
        return [
            row.detail
            for statement in asked
            for row in connection.execute(text(f"EXPLAIN QUERY PLAN {statement}"))
        ]

    found = [plan for plan in await database.read(plans) if plan.startswith(("SEARCH", "SCAN"))]
    assert [plan.split("(")[0] for plan in found] == [
        # none, or the few that have expired just now
        "SEARCH dumps USING INDEX ix_dumps_account_id_dumps_id ",
        "SEARCH dumps USING COVERING INDEX ix_dumps_expires_at ",
        "SEARCH objects USING INTEGER PRIMARY KEY ",
        "SEARCH dump_counts USING PRIMARY KEY ",
        "SEARCH dump_counts USING COVERING INDEX ix_dump_counts_by_day ",
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
