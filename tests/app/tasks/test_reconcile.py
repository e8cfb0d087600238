"""Comparing store and database: once a day, by one listing, and what each finds of the other."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select, update

from app import clock, metrics
from app.accounts import bootstrap
from app.accounts.tables import accounts
from app.config import Settings
from app.database import Database, instance
from app.objects.tables import objects
from app.security.passwords import Passwords
from app.tasks import reconcile
from app.tasks.daily import DAY, Daily
from app.tasks.reconcile import Comparison, Finding, Reconcile, repaired
from storage.base import new_key
from storage.key_set import KeySet
from storage.local import LocalStore
from tests.faults import FaultyStore

pytestmark = pytest.mark.anyio

NOW = clock.now()


@pytest.fixture
async def store(
    database: Database, passwords: Passwords, tmp_path: Path
) -> AsyncIterator[FaultyStore]:
    """An empty store, whose calls are counted, for a database that has an account."""
    await database.write(instance.identify, "an-id")
    await bootstrap.prepare(database, passwords, Settings(data_dir=tmp_path, _env_file=None))
    store = FaultyStore(LocalStore(tmp_path / "objects"))
    yield store
    await store.aclose()


async def put(store: FaultyStore, key: str, size: int = 3) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"x" * size

    await store.put(key, body(), size=size)


def note(connection: Connection, keys: list[str], size: int = 3, state: str = "ready") -> None:
    """Make rows for objects."""
    account = connection.execute(select(accounts.c.id)).scalars().first()
    row = {"account_id": account, "kind": "blobs", "state": state, "size": size}
    row |= {"sha256": bytes(32), "charged_bytes": 0, "charged_slots": 0, "created_at": NOW}
    connection.execute(insert(objects), [row | {"key": key} for key in keys])


async def compared(database: Database, store: FaultyStore, now: int = NOW) -> list[Finding]:
    return [found async for found in Comparison(database, store, now).run()]


async def test_what_is_as_it_should_be_is_not_asked_for_one_by_one(
    database: Database, store: FaultyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "BATCH", 7)
    keys = [new_key("blobs") for _ in range(40)]
    for key in keys:
        await put(store, key)
    await database.write(note, keys)
    comparison = Comparison(database, store, NOW + 2 * DAY)
    assert [found async for found in comparison.run()] == []
    assert comparison.objects == 40
    assert (store.calls["list"], store.calls["stat"]) == (1, 0)


async def test_each_kind_of_difference_is_found(
    database: Database, store: FaultyStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "BATCH", 2)
    sound, missing, cut, orphan, pending = [new_key("blobs") for _ in range(5)]
    for key in (sound, cut, orphan, pending):
        await put(store, key)
    await database.write(note, [sound, missing])
    await database.write(note, [cut], size=4)
    await database.write(note, [pending], size=0, state="pending")
    staged = new_key("dumps")
    (tmp_path / "objects" / ".staging" / f"dumps-{staged[-32:]}").write_bytes(b"half")
    harm = {Finding("missing", missing), Finding("damaged", cut)}
    assert set(await compared(database, store)) == harm
    assert store.calls["stat"] == 2, "only what the list did not show"
    garbage = {Finding("orphans", orphan), Finding("unfinished", staged)}
    later = NOW + 2 * DAY
    assert set(await compared(database, store, later)) == harm | garbage
    findings = repaired(Comparison(database, store, later).run(), store)
    assert {found async for found in findings} == harm | garbage
    assert set(await compared(database, store, later)) == harm
    assert [info async for info in store.unfinished()] == []


async def test_what_comes_and_goes_meanwhile_is_no_difference(
    database: Database, store: FaultyStore
) -> None:
    goes, comes = new_key("blobs"), new_key("blobs")
    await put(store, goes)
    await database.write(note, [goes])
    stall = store.stall("list", moment="after")
    comparing = asyncio.create_task(compared(database, store, NOW + 2 * DAY))
    await stall.reached.wait()
    await put(store, comes)
    await database.write(note, [comes])
    stall.go.set()
    assert await comparing == []


@pytest.mark.parametrize("count", [0, 3, 20_000])
def test_a_set_of_keys_knows_which_it_lacks(count: int) -> None:
    keys = [new_key("blobs") for _ in range(count)]
    others = [new_key("blobs") for _ in range(200)]
    held = KeySet()
    for start in range(0, count, 500):
        held.add(keys[start : start + 500])
    held.add(keys[:10])
    assert held.lacking(keys[-300:] + others) == set(others)
    held.close()


def test_a_set_of_keys_takes_disk_and_no_memory() -> None:
    before = resident()
    held = KeySet()
    for _ in range(200):
        held.add([new_key("blobs") for _ in range(500)])
    assert resident() - before < 10 << 20  # of these keys alone, a set takes 14
    held.close()


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


class Chore(Daily):
    """A task that notes when it ran."""

    name = "chore"

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.ran: list[int] = []
        self.error: BaseException | None = None

    async def run_today(self, now: int) -> None:
        self.ran.append(now)
        if self.error is not None:
            raise self.error


async def test_one_process_does_it_once_a_day(database: Database) -> None:
    assert await Chore(database).next_due(NOW) == NOW
    chores = [Chore(database) for _ in range(4)]
    await asyncio.gather(*(chore.run_once(NOW) for chore in chores))
    assert [run for chore in chores for run in chore.ran] == [NOW]
    again = Chore(database)  # in a process that has just been started
    assert await again.next_due(NOW) == NOW + DAY
    for moment in (NOW + 1, NOW + DAY - 1, NOW + DAY, NOW + DAY + 1):
        await again.run_once(moment)
    assert again.ran == [NOW + DAY]


@pytest.mark.parametrize("error", [RuntimeError("no"), asyncio.CancelledError()])
async def test_what_fails_or_is_stopped_is_somebodys_turn_again(
    database: Database, error: BaseException
) -> None:
    failing, other = Chore(database), Chore(database)
    failing.error = error
    with pytest.raises(type(error)):
        await failing.run_once(NOW)
    await other.run_once(NOW + 1)
    assert other.ran == [NOW + 1]


async def test_a_turn_that_a_wrong_clock_took_is_not_waited_for(database: Database) -> None:
    await Chore(database).run_once(NOW + 1000 * DAY)
    chore = Chore(database)
    await chore.run_once(NOW)
    assert chore.ran == [NOW]


async def test_the_task_takes_its_turn_and_counts(database: Database, store: FaultyStore) -> None:
    lost = new_key("blobs")
    await database.write(note, [lost])
    for _ in range(3):
        await Reconcile(database, store).run_once(NOW)
    assert store.calls["list"] == 1
    gauge = metrics.reconcile_findings
    assert gauge.labels("missing")._value.get() == 1
    await database.write(lambda c: c.execute(update(objects).values(key=None)).rowcount)
    await Reconcile(database, store).run_once(NOW + DAY)
    assert gauge.labels("missing")._value.get() == 0
