"""The two verbs, on both databases."""

import asyncio
import threading

import pytest
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    MetaData,
    Table,
    Text,
    bindparam,
    insert,
    select,
)
from sqlalchemy.exc import IntegrityError

from app.database import Database, DatabaseUnavailable, Statement, insert_if_absent, notify
from tests.app.database.conftest import OpenDatabase
from tests.deadline import DEADLINE

pytestmark = pytest.mark.anyio

things = Table(
    "things", MetaData(), Column("name", Text, primary_key=True), Column("n", BigInteger)
)
_insert = Statement(insert(things).values(name=bindparam("name"), n=bindparam("n")))
_names = Statement(select(things.c.name).order_by(things.c.name))


class _Refused(Exception):
    pass


def add(connection: Connection, name: str, n: int = 0) -> str:
    _insert(connection, name=name, n=n)
    return name


def add_and_fail(connection: Connection, name: str) -> None:
    add(connection, name)
    raise _Refused(name)


def names(connection: Connection) -> list[str]:
    return [row.name for row in _names(connection).rows]


async def test_a_write_is_there_when_it_returns(database: Database) -> None:
    assert await database.write(add, "a") == "a"
    assert await database.read(names) == ["a"]


async def test_an_exception_rolls_back_and_passes_on(database: Database) -> None:
    with pytest.raises(_Refused):
        await database.write(add_and_fail, "a")
    assert await database.read(names) == []


@pytest.mark.parametrize("turn", [None, "one account"])
async def test_writers_at_once_fail_and_succeed_each_for_themselves(
    database: Database, turn: str | None
) -> None:
    writes = [
        database.write_in_turn(turn, add_and_fail if i % 3 == 0 else add, f"{i:03}")
        for i in range(200)
    ]
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert [isinstance(r, _Refused) for r in results] == [i % 3 == 0 for i in range(200)]
    assert await database.read(names) == [f"{i:03}" for i in range(200) if i % 3]


@pytest.mark.parametrize("turn", [None, "one account"])
async def test_a_broken_constraint_fails_its_own_writer_only(
    database: Database, turn: str | None
) -> None:
    writes = [database.write_in_turn(turn, add, f"{i % 10}") for i in range(40)]
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert sum(isinstance(r, IntegrityError) for r in results) == 30
    assert await database.read(names) == [str(i) for i in range(10)]


async def test_a_write_finishes_without_its_caller(
    database: Database, open_database: OpenDatabase
) -> None:
    begun, go = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def slow(connection: Connection) -> None:
        add(connection, "slow")
        loop.call_soon_threadsafe(begun.set)
        if threading.current_thread() is not threading.main_thread():
            go.wait(DEADLINE)

    caller = asyncio.create_task(database.write(slow))
    await begun.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    go.set()
    await database.write(add, "next")
    assert "slow" in await database.read(names)


@pytest.mark.parametrize("turn", [None, "one account"])
async def test_what_is_committed_is_told_once_and_nothing_else(
    database: Database, turn: str | None
) -> None:
    told: list[object] = []
    database.on_notice = told.append

    def tell(connection: Connection, i: int) -> None:
        add(connection, f"{i:03}")
        notify(connection, i)
        if i % 3 == 0:
            raise _Refused

    writes = [database.write_in_turn(turn, tell, i) for i in range(60)]
    await asyncio.gather(*writes, return_exceptions=True)
    assert sorted(told, key=str) == sorted((i for i in range(60) if i % 3), key=str)


async def test_closing_finishes_what_has_begun(open_database: OpenDatabase) -> None:
    first = open_database()
    await first.write(
        lambda c: c.exec_driver_sql("CREATE TABLE things (name TEXT, n BIGINT)") and None
    )
    writes = [asyncio.create_task(first.write_in_turn("t", add, f"{i:03}")) for i in range(50)]
    await asyncio.sleep(0)  # every one of them has been handed over
    await first.aclose()
    await asyncio.gather(*writes)
    with pytest.raises(DatabaseUnavailable):
        await first.write(add, "late")
    second = open_database()
    assert len(await second.read(names)) == 50
    await second.aclose()


async def test_insert_if_absent_tells_whether_it_did(database: Database) -> None:
    await database.write(
        lambda c: (
            c.exec_driver_sql("CREATE TABLE marks (id INTEGER PRIMARY KEY, name TEXT UNIQUE)")
            and None
        )
    )
    marks = Table("marks", MetaData(), Column("id", BigInteger), Column("name", Text))
    insert_mark = insert_if_absent(marks, "id", "name")
    first = await database.write(lambda c: insert_mark(c, id=1, name="a").rows)
    second = await database.write(lambda c: insert_mark(c, id=2, name="a").rows)
    assert ([row.id for row in first], second) == ([1], [])


async def test_a_statement_wants_all_its_values(database: Database) -> None:
    with pytest.raises(TypeError, match="name"):
        await database.write(lambda c: _insert(c, n=1))


async def test_ping(database: Database) -> None:
    await database.ping()
