"""An account's own rules for signatures: read, kept, and applied to what is there."""

import json
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import Connection, delete, func, select, update

from app.database import Database
from app.dumps.minidump import older
from app.dumps.reports import task
from app.dumps.reports.task import Found, Unread
from app.dumps.rules import naming
from app.dumps.rules import rows as rule_rows
from app.dumps.signatures import own_rules, rows
from app.dumps.signatures.entities import Signature, State
from app.dumps.signatures.making import signature
from app.dumps.signatures.own_rules import WrongRule
from app.dumps.tables import dump_counts, dumps, signature_counts, signatures
from app.events.tables import events
from app.objects.entities import Content
from tests.app.dumps.dump_rows import NOW, OURS, US, add, add_people
from tests.app.dumps.test_signatures import frame, report

anyio = pytest.mark.anyio

PLAIN = "[ignore]\nlog\n[prefix]\nacme::Pool::.*\n[group]\nread_\\w+|write => I/O\n"


@pytest.mark.parametrize(
    ("frames", "found"),
    [
        ([frame("log"), frame("f")], "f"),
        ([frame("LOG"), frame("f")], "f"),
        ([frame("logs"), frame("f")], "logs"),
        ([frame("acme::Pool::get()"), frame("f"), frame("main")], "acme::Pool::get | f"),
        ([frame("read_all(int)"), frame("f")], "I/O"),
        ([frame("std::vector<int>::at"), frame("write"), frame("f")], "std::vector<T>::at | I/O"),
        # they come before the built-in rules
        ([frame("malloc"), frame("f")], "f"),
    ],
)
def test_own_rules_come_first(frames: list[dict[str, Any]], found: str) -> None:
    assert signature(report(*frames), own_rules.read(PLAIN)) == found


def test_what_the_built_in_rules_leave_out_can_be_named() -> None:
    own = own_rules.read("[group]\nmalloc => the heap\nstd::.* => library\n[prefix]\nmalloc")
    assert signature(report(frame("malloc"), frame("f")), own) == "the heap | f"
    assert signature(report(frame("std::sort"), frame("f")), own) == "library"


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("a", 1, "begin with a section"),
        ("# a\n\n[prefixes]\na", 3, "begin with a section"),
        ("[ignore]\na\n(b", 3, "unterminated"),
        ("[prefix]\na{99999999999}", 2, "regular expression"),
        ("[group]\na", 2, "pattern => name"),
        ("[group]\na => ", 2, "pattern => name"),
        ("[ignore]\n" + "a" * 201, 2, "200 characters"),
        ("[ignore]" + "\na" * 200, 201, "200 lines"),
    ],
)
def test_a_wrong_line_is_named(text: str, line: int, reason: str) -> None:
    with pytest.raises(WrongRule, match=rf"^Line {line}: .*{reason}"):
        own_rules.read(text)


@pytest.fixture
async def people(database: Database) -> None:
    await database.write(add_people)


def crash(
    connection: Connection, /, function: str, *, revision: int = 0,
    name: str = "", **facts: Any,  # noqa: ANN401 - columns
) -> int:  # fmt: skip
    """Receive a dump that crashed in a function, and read it."""
    number = add(connection, NOW, report_state="pending", report_claimed_until=9, **facts)
    its = json.dumps(report(frame(function)))
    values = {
        "report_state": "read",
        "report": its,
        "signature": name or function,
        "platform": "linux",
    }
    unread = Unread(number, OURS, False, Content(number, None, 1, b"", 0, b""))
    task.keep(connection, Found(unread, values, revision=revision), None, NOW)
    return number


async def apply(database: Database, text: str, batch: int = 2) -> int:
    """Save rules and apply them; returns their revision."""
    rules = await database.write(rule_rows.save, US, text, NOW)
    while await step(database, batch):
        pass
    return rules.revision


async def step(database: Database, batch: int = 2) -> bool:
    found = await database.read(rule_rows.next_batch, batch)
    if found is None:
        return False
    names = naming.names(found.rules.in_force, [dump.report for dump in found.dumps])
    await database.write(rule_rows.keep, found, names)
    return True


async def known(database: Database) -> dict[str, Signature]:
    """Return all signatures of the account, whose counts must be those of its dumps."""

    def read(connection: Connection) -> list[str]:
        by_dumps = Counter(connection.execute(select(dumps.c.signature)).scalars())
        counted = select(signatures.c.name, signatures.c["count"]).where(signatures.c["count"] > 0)
        assert dict(connection.execute(counted).all()) == by_dumps
        for table, name, where in (
            (dump_counts, dump_counts.c.name, dump_counts.c.facet == "signature"),
            (signature_counts, signature_counts.c.signature, signature_counts.c["count"] > 0),
        ):
            total = select(name, func.sum(table.c["count"])).where(where).group_by(name)
            assert {n: int(c) for n, c in connection.execute(total)} == by_dumps
        left = signatures.c.becomes.is_not(None) | signatures.c.made_of.is_not(None)
        assert connection.execute(select(signatures.c.name).where(left)).all() == []
        return list(connection.execute(select(signatures.c.name)).scalars())

    names = await database.read(read)
    found = {name: await database.read(rows.find_named, US, name) for name in names}
    return {name: each for name, each in found.items() if each is not None}


async def say(database: Database, name: str, **changes: Any) -> str:  # noqa: ANN401 - columns
    found = (await known(database))[name]
    await database.write(rows.change, US, found.uuid, changes, NOW)
    return found.uuid


async def types(database: Database) -> list[str]:
    def read(connection: Connection) -> list[str]:
        return list(connection.execute(select(events.c.type).order_by(events.c.id)).scalars())

    return await database.read(read)


@anyio
@pytest.mark.usefixtures("people")
async def test_a_signature_goes_along_when_all_its_dumps_do(database: Database) -> None:
    """It is resolved, and its dumps came later: that is no regression, nor anything new."""
    numbers = [await database.write(crash, "f", version="2") for _ in range(5)]
    await database.write(crash, "g")
    uuid = await say(database, "f", state="resolved", resolved_in="1", note="a race")

    def lose(connection: Connection) -> None:
        connection.execute(delete(dumps).where(dumps.c.id == numbers[0]))

    await database.write(lose)
    told = await types(database)
    revision = await apply(database, "[group]\nf => F")
    found = await known(database)
    assert set(found) == {"F", "g"}
    its = found["F"]
    assert (its.uuid, its.state, its.resolved_in, its.note) == (uuid, State.RESOLVED, "1", "a race")
    assert (its.count, its.gone) == (4, 1)
    assert await types(database) == [*told, "dump.rules_changed"]
    await database.write(crash, "f", name="F", version="0", revision=revision)
    assert (await known(database))["F"].state is State.RESOLVED
    await apply(database, "")
    back = (await known(database))["f"]
    assert (back.uuid, back.state, back.count) == (uuid, State.RESOLVED, 5)


@anyio
@pytest.mark.usefixtures("people")
async def test_one_that_was_there_keeps_what_it_has(database: Database) -> None:
    for name in ("f", "f", "g", "h"):
        await database.write(crash, name)
    await say(database, "f", state="ignored", note="mine")
    await say(database, "g", state="resolved", note="theirs")
    await apply(database, "[group]\nf|h => g")
    found = await known(database)
    assert set(found) == {"f", "g"}, "nothing was known of h"
    assert (found["f"].state, found["f"].note, found["f"].count) == (State.IGNORED, "mine", 0)
    assert (found["g"].state, found["g"].note, found["g"].count) == (State.RESOLVED, "theirs", 4)


@anyio
@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(("other", "then"), [("ignored", "ignored"), ("open", "open")])
async def test_several_become_one(database: Database, other: str, then: str) -> None:
    for name in ("read_a", "read_b", "read_b"):
        await database.write(crash, name)
    await say(database, "read_a", state="ignored", note="one")
    await say(database, "read_b", state=other, note="two")
    await apply(database, "[group]\nread_. => I/O")
    (only,) = (await known(database)).values()
    assert (only.name, only.count, only.state) == ("I/O", 3, then)
    assert set(only.note.split("\n\n")) == {"one", "two"}


@anyio
@pytest.mark.usefixtures("people")
async def test_one_that_is_parted_stays(database: Database) -> None:
    """Its dumps have stacks that differ below the function that it is named by."""
    numbers = [await database.write(crash, "f") for _ in range(2)]
    await say(database, "f", state="ignored")

    def differ(connection: Connection) -> None:
        for number, name in zip(numbers, "gh", strict=True):
            other = json.dumps(report(frame("f"), frame(name)))
            connection.execute(update(dumps).where(dumps.c.id == number).values(report=other))

    await database.write(differ)
    await apply(database, "[prefix]\nf")
    found = await known(database)
    assert {name: (each.state, each.count) for name, each in found.items()} == {
        "f": (State.IGNORED, 0), "f | g": (State.OPEN, 1), "f | h": (State.OPEN, 1),
    }  # fmt: skip


@anyio
@pytest.mark.usefixtures("people")
async def test_rules_that_change_meanwhile(database: Database) -> None:
    for _ in range(3):
        await database.write(crash, "f")
    await say(database, "f", note="kept")
    await database.write(rule_rows.save, US, "[group]\nf => F", NOW)
    stale = await database.read(rule_rows.next_batch, 2)
    assert stale is not None
    await step(database)
    await database.write(rule_rows.keep, stale, ["x", "x"])
    revision = await apply(database, "[group]\nf => G")
    (only,) = (await known(database)).values()
    assert (only.name, only.count, only.note) == ("G", 3, "kept")
    number = await database.write(crash, "f", revision=revision - 1)

    def state(connection: Connection) -> Any:  # noqa: ANN401 - a row
        its = select(dumps.c.report_state, dumps.c.report_claimed_until, dumps.c.signature)
        return tuple(connection.execute(its.where(dumps.c.id == number)).one())

    assert await database.read(state) == ("pending", NOW, None), "it is to be read again"


@anyio
@pytest.mark.usefixtures("people")
async def test_rules_that_take_too_long_are_undone(database: Database) -> None:
    await database.write(crash, "f")
    revision = await apply(database, "[group]\nf => F")
    await database.write(rule_rows.turn_off, OURS, revision - 1, NOW)
    assert not (await database.read(rule_rows.find, US)).is_off
    await database.write(rule_rows.turn_off, OURS, revision, NOW)
    while await step(database):
        pass
    rules = await database.read(rule_rows.find, US)
    assert (rules.is_off, rules.in_force, rules.text) == (True, "", "[group]\nf => F")
    assert set(await known(database)) == {"f"}
    assert (await types(database))[-1] == "dump.rules_stopped"
    assert not (await database.write(rule_rows.save, US, rules.text, NOW)).is_off


def test_reports_of_earlier_releases_have_signatures() -> None:
    old = {"threads": {"count": 1, "crashing": 7}, "modules": [], "exception": {"name": "SIGSEGV"},
           "crashing_module": {"name": "app", "offset": "0x1"}}  # fmt: skip
    assert signature(older.current(old)) == "SIGSEGV app+0x1"
    assert naming.names("", [json.dumps(old)]) == ["SIGSEGV app+0x1"]
