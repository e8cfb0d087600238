"""The life of a signature: new, resolved, open again, ignored, renamed, forgotten."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, delete, insert, select, update

from app import clock
from app.database import Database
from app.dumps.counts import DAY
from app.dumps.reports import task
from app.dumps.reports.task import Found, Unread
from app.dumps.signatures import life, rows
from app.dumps.signatures.entities import Listed, Signature, Sort, State, Wanted
from app.dumps.tables import dump_counts, dumps, signatures
from app.errors import InvalidCursor, InvalidRequest, NotFound
from app.events.entities import EventType
from app.events.tables import events
from app.objects.entities import Content
from tests.app.dumps.dump_rows import NOW, OURS, THEIRS, US, add, add_people

pytestmark = pytest.mark.anyio

HOUR = 60 * clock.MINUTE
THEM = replace(US, account_id=THEIRS)


@pytest.fixture(autouse=True)
async def people(database: Database) -> None:
    await database.write(add_people)


class Told:
    """The events that crashes have made."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, type: EventType) -> list[dict[str, Any]]:  # noqa: A002
        """Return the facts of the events of a type."""

        def facts(connection: Connection) -> list[dict[str, Any]]:
            of_type = select(events).where(events.c.type == type).order_by(events.c.id)
            return [json.loads(row.facts) for row in connection.execute(of_type)]

        return await self._database.read(facts)

    async def types(self) -> list[str]:
        """Return the types of all events, without their first word."""
        types = select(events.c.type).order_by(events.c.id)

        def read(connection: Connection) -> list[str]:
            found = connection.execute(types).scalars()
            return [each.removeprefix("dump.") for each in found]

        return await self._database.read(read)


@pytest.fixture
def told(database: Database) -> Told:
    return Told(database)


def crash(
    connection: Connection,
    /,
    moment: int = NOW,
    name: str | None = "f",
    **facts: Any,  # noqa: ANN401 - columns
) -> int:
    """Receive a dump, and read it."""
    number = add(connection, moment, report_state="pending", **facts)
    read(connection, number, name)
    return number


def read(
    connection: Connection, /, number: int, name: str | None, *, is_again: bool = False
) -> None:
    content = Content(number, None, 1, b"", 0, b"")
    values = {"report_state": "read", "report": "{}", "signature": name, "platform": "linux"}
    if is_again:
        connection.execute(update(dumps).where(dumps.c.id == number).values(reread_at=NOW))
    unread = Unread(number, OURS, is_again, content)
    task.keep(connection, Found(unread, values), None, NOW)


async def known(database: Database, name: str = "f") -> Signature:
    found = await database.read(rows.find_named, US, name)
    assert found is not None
    return found


async def change(database: Database, name: str = "f", now: int = NOW, **changes: Any) -> Signature:  # noqa: ANN401 - columns
    return await database.write(rows.change, US, (await known(database, name)).uuid, changes, now)


async def test_the_first_crash_makes_a_signature(database: Database, told: Told) -> None:
    await database.write(crash, NOW - DAY, version="1.0")
    await database.write(crash, NOW, version="1.1")
    await database.write(crash, NOW, name=None)
    found = await known(database)
    assert (found.state, found.count, found.size, found.gone) == (State.OPEN, 2, 2, 0)
    assert (found.first_seen_at, found.last_seen_at) == (NOW - DAY, NOW)
    assert await told.types() == ["new_signature"]
    (facts,) = await told.of(EventType.DUMP_NEW_SIGNATURE)
    assert facts == {"dump": facts["dump"], "version": "1.0", "platform": "linux", "crashes": 1}
    assert found.is_new(NOW)
    assert not found.is_new(NOW + 6 * DAY)
    assert found.uuid[14] == "7"
    assert int(found.uuid.replace("-", "")[:12], 16) == (NOW - DAY) // 1000


async def test_it_stays_when_its_dumps_are_gone(database: Database, told: Told) -> None:
    numbers = [await database.write(crash, NOW - days * DAY) for days in (3, 1)]

    def remove(connection: Connection, number: int) -> None:
        connection.execute(delete(dumps).where(dumps.c.id == number))

    for number in numbers:
        await database.write(remove, number)
    found = await known(database)
    assert (found.count, found.size, found.gone, found.total) == (0, 0, 2, 2)
    assert (found.first_seen_at, found.last_seen_at) == (NOW - 3 * DAY, NOW - DAY)
    await database.write(crash)
    assert await told.types() == ["new_signature"], "it is known already"
    assert (await known(database)).total == 3


@pytest.mark.parametrize(
    ("resolved_in", "version", "late", "reopens"),
    [
        ("1.9", "1.10", 1, True),
        ("1.9", "1.10", -1, True),
        ("2.0-rc1", "2.0", 1, True),
        ("2.0", "2.0-rc1", 1, False),
        ("2.0", "2.0.0", 1, False),
        ("2.0", "1.9", 1, False),
        (None, "1.9", 1, True),
        (None, "1.9", -1, False),
        ("2.0", None, 1, True),
        ("2.0", None, -1, False),
        (None, None, 1, True),
        (None, None, 0, False),
    ],
)
async def test_a_later_crash_reopens_what_is_resolved(
    database: Database,
    told: Told,
    resolved_in: str | None,
    version: str | None,
    late: int,
    reopens: bool,
) -> None:
    """``late`` is when it came, by the time of the resolution."""
    await database.write(crash, NOW - DAY, version="1.0")
    await change(database, state="resolved", resolved_in=resolved_in)
    await database.write(crash, NOW + late, version=version)
    found = await known(database)
    assert found.is_regression == reopens
    if reopens:
        assert (found.state, found.regressed_in, found.regressed_at) == (
            State.OPEN, version, NOW + late,
        )  # fmt: skip
        assert found.resolved_in == resolved_in
        (facts,) = await told.of(EventType.DUMP_REGRESSION)
        assert (facts.get("version"), facts["crashes"]) == (version, 2)
        assert not (await change(database, state="open")).is_regression
    else:
        assert found.state is State.RESOLVED
        assert await told.types() == ["new_signature"]


async def test_what_is_ignored_stays_so(database: Database, told: Told) -> None:
    await database.write(crash)
    await change(database, state="ignored")
    for _ in range(20):
        await database.write(crash, NOW + DAY)
    found = await known(database)
    assert (found.state, found.count) == (State.IGNORED, 21)
    assert await told.types() == ["new_signature"]


async def test_a_dump_that_is_read_again_is_no_crash_more(database: Database, told: Told) -> None:
    """It comes after the resolution, in a later version, and has another name than before."""
    number = await database.write(crash, NOW + 1, name="SIGSEGV app+0x1", version="9")
    await change(database, "SIGSEGV app+0x1", state="resolved", resolved_in="1", note="a race")
    await database.write(read, number, "SIGSEGV app+0x1", is_again=True)
    assert (await known(database, "SIGSEGV app+0x1")).state is State.RESOLVED
    await database.write(read, number, "g", is_again=True)
    found = await known(database, "g")
    assert (found.state, found.note, found.count, found.gone) == (State.RESOLVED, "a race", 1, 0)
    assert found.first_seen_at == NOW + 1
    assert await told.types() == ["new_signature"]
    assert await database.read(rows.find_named, US, "SIGSEGV app+0x1") is None


async def test_reprocessing_is_reading_again(database: Database, told: Told) -> None:
    number = await database.write(crash, NOW + 1, version="9")
    await change(database, state="resolved", resolved_in="1")
    await database.write(task.begin_again, US, str(number), NOW)
    await database.write(read, number, "f")
    assert (await known(database)).state is State.RESOLVED
    assert await told.types() == ["new_signature"]


async def test_names_join_without_losing_what_is_said(database: Database) -> None:
    """Symbols may give dumps a name that is there already."""
    number = await database.write(crash, name="a")
    await database.write(crash, name="b")
    await change(database, "a", note="kept")
    await database.write(read, number, "b", is_again=True)
    assert (await known(database, "a")).count == 0
    found = await known(database, "b")
    assert (found.count, found.note) == (2, "")


async def test_a_dump_whose_file_is_replaced_has_left(database: Database) -> None:
    number = await database.write(crash)

    def replaced(connection: Connection) -> None:
        values = {"signature": None, "report": None, "report_state": "pending"}
        connection.execute(update(dumps).where(dumps.c.id == number).values(values))

    await database.write(replaced)
    found = await known(database)
    assert (found.count, found.gone) == (0, 1)


async def crashes(database: Database, count: int, moment: int) -> None:
    def add_all(connection: Connection) -> None:
        for _ in range(count):
            crash(connection, moment)

    await database.write(add_all)


@pytest.mark.parametrize(
    ("before", "count", "spikes"), [(0, 9, []), (0, 10, [10]), (360, 10, []), (360, 11, [11])]
)
async def test_a_spike_is_many_more_than_usual(
    database: Database, told: Told, before: int, count: int, spikes: list[int]
) -> None:
    """360 in a week are 2.14 an hour, five times of which are 10.7."""

    def had(connection: Connection) -> None:
        crash(connection, NOW - 7 * DAY)
        of_f = dump_counts.c.facet == "signature"
        connection.execute(update(dump_counts).where(of_f).values(count=before))

    await database.write(had)
    await crashes(database, count, NOW)
    assert [facts["crashes"] for facts in await told.of(EventType.DUMP_SPIKE)] == spikes


async def test_a_spike_is_told_once_a_day(database: Database, told: Told) -> None:
    await crashes(database, 21, NOW)
    assert await told.types() == ["new_signature", "spike"]
    await crashes(database, 21, NOW + DAY)
    assert await told.types() == ["new_signature", "spike", "spike"]


async def test_the_last_hour_is_estimated_from_two(database: Database, told: Told) -> None:
    start = NOW // HOUR * HOUR
    await crashes(database, 8, start)
    await crashes(database, 5, start + HOUR + HOUR // 2)  # half of the 8 count
    await crashes(database, 9, start - 1)  # late: for the counts of days alone
    assert await told.types() == ["new_signature"]
    await crashes(database, 1, start + HOUR + HOUR // 2)
    assert [facts["crashes"] for facts in await told.of(EventType.DUMP_SPIKE)] == [10]
    await crashes(database, 1, start + 5 * HOUR)
    found = await database.read(lambda c: c.execute(select(signatures)).one()._asdict())
    assert (found["in_hour"], found["in_hour_before"]) == (1, 0)


async def test_a_flood_of_names_is_one_event_an_hour(
    database: Database, told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life, "_ALOUD", 2)
    for number in range(5):
        await database.write(crash, name=str(number))
    assert await told.types() == ["new_signature"] * 3
    await database.write(crash, NOW + 2 * HOUR, name="later")
    assert await told.types() == ["new_signature"] * 4


async def test_strangers_names_are_forgotten(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life, "KEPT", 2)

    def fill(connection: Connection) -> None:
        for number, more in enumerate(({"note": "kept"}, {"state": "ignored"}, {}, {}, {})):
            values = {
                "uuid": str(number), "account_id": OURS, "name": f"n{number}", "state": "open",
                "note": "", "first_seen_at": number, "last_seen_at": number, "modified_at": 0,
                "count": 0, "size": 0, "gone": 1, "hour": 0, "in_hour": 0, "in_hour_before": 0,
            }  # fmt: skip
            connection.execute(insert(signatures).values(values | more))

    await database.write(fill)
    await database.write(crash)
    found = await listed(database, Wanted())
    assert [one.signature.name for one in found] == ["f", "n0", "n1", "n3", "n4"]


async def listed(database: Database, wanted: Wanted, limit: int = 10) -> Sequence[Listed]:
    """Return all pages."""
    found: list[Listed] = []
    cursor = None
    while True:
        page = await database.read(rows.page, US, wanted, limit, cursor, NOW)
        found += page.items
        if (cursor := page.next_cursor) is None:
            return found


async def test_lists_are_sorted_and_filtered(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(connection: Connection) -> None:
        for name, days in (("b", (9, 0)), ("Ab_c", (5,)), ("ab%c é", (8, 6, 2)), ("c", (5, 3))):
            for day in days:
                crash(connection, NOW - day * DAY, name=name, version=f"1.{day}")
        add(connection, NOW, account=THEIRS, signature="theirs")

    await database.write(fill)
    await change(database, "c", state="ignored")
    for wanted, names in {
        Wanted(): ["Ab_c", "ab%c é", "b", "c"],
        Wanted(sort=Sort.LAST_SEEN): ["b", "ab%c é", "c", "Ab_c"],
        Wanted(sort=Sort.FIRST_SEEN): ["c", "Ab_c", "ab%c é", "b"],
        Wanted(sort=Sort.COUNT): ["ab%c é", "c", "b", "Ab_c"],
        Wanted(q="AB"): ["Ab_c", "ab%c é"],
        Wanted(q="b_"): ["Ab_c"],
        Wanted(q="%C É"): [],
        Wanted(q="%C é"): ["ab%c é"],
        Wanted(state=State.IGNORED, sort=Sort.COUNT): ["c"],
        Wanted(state=State.RESOLVED): [],
    }.items():
        for limit in (1, 2, 10):
            found = await listed(database, wanted, limit)
            assert [one.signature.name for one in found] == names, (wanted, limit)
    (first, *_) = await listed(database, Wanted(q="ab%c"))
    assert first.recent == [0] * 5 + [1, 0, 1, 0, 0, 0, 1, 0, 0]
    assert first.versions == [("1.8", 1), ("1.6", 1), ("1.2", 1)]
    monkeypatch.setattr("app.dumps.signatures.rows.walk.__kwdefaults__", {"budget": 1})
    assert len(await listed(database, Wanted(q="é", sort=Sort.COUNT), 1)) == 1


async def test_cursors_are_those_of_a_list(database: Database) -> None:
    await database.write(crash)
    await database.write(crash, name="g")
    page = await database.read(rows.page, US, Wanted(sort=Sort.COUNT), 1, None, NOW)
    for wanted in (Wanted(), Wanted(sort=Sort.LAST_SEEN)):
        with pytest.raises(InvalidCursor):
            await database.read(rows.page, US, wanted, 1, page.next_cursor, NOW)


async def test_what_has_expired_is_not_there(database: Database) -> None:
    await database.write(crash, expires_at=NOW)
    await database.write(crash, expires_at=NOW + 1)
    (found,) = await listed(database, Wanted())
    assert (found.signature.count, found.signature.size, found.signature.total) == (1, 1, 2)


async def test_only_what_is_resolved_is_so_in_a_version(database: Database) -> None:
    await database.write(crash)
    with pytest.raises(InvalidRequest, match="resolved"):
        await change(database, resolved_in="1.0")
    await change(database, state="resolved", resolved_in="1.0")
    found = await change(database, note="still", now=NOW + 1)
    assert (found.resolved_in, found.resolved_at, found.modified_at) == ("1.0", NOW, NOW + 1)
    found = await change(database, resolved_in="1.1", now=NOW + 2)
    assert (found.resolved_in, found.resolved_at) == ("1.1", NOW + 2)
    found = await change(database, state="open")
    assert (found.resolved_in, found.resolved_at, found.note) == (None, None, "still")
    with pytest.raises(InvalidRequest):
        await change(database, state="ignored", resolved_in="1.0")


async def test_others_have_none_of_it(database: Database) -> None:
    await database.write(crash)
    uuid = (await known(database)).uuid
    with pytest.raises(NotFound):
        await database.read(rows.find, THEM, uuid)
    with pytest.raises(NotFound):
        await database.write(rows.change, THEM, uuid, {"note": "x"}, NOW)
