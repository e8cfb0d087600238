"""The life of an object, step by step: every charge is given back, every byte is reclaimed."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, func, select, update

from app import clock
from app.accounts import bootstrap, quota
from app.accounts.identity import Identity, identify
from app.accounts.tables import accounts
from app.config import Settings
from app.database import Database, generations, instance
from app.database.instance import instance as rows_of_instance
from app.errors import ContentTooLarge, LeaseLost, QuotaExceeded
from app.objects import lifecycle as objects
from app.objects import removal
from app.objects.entities import Received, Reservation
from app.objects.lifecycle import GRACE, LEASE
from app.objects.tables import object_bytes, tombstones
from app.objects.tables import objects as rows
from app.security.credentials import ServiceToken
from app.security.passwords import Passwords
from app.tasks import leases, sweep
from app.tasks.sweep import Sweep
from storage.base import new_key
from storage.errors import StoreUnavailable
from storage.local import LocalStore
from tests.faults import FaultyStore, Moment

pytestmark = pytest.mark.anyio

NOW = clock.now()
SHA256 = bytes(32)


@pytest.fixture
async def owner(database: Database, passwords: Passwords, tmp_path: Path) -> Identity:
    """The built-in account, which has no limits."""
    await database.write(instance.identify, "an-id")
    await bootstrap.prepare(database, passwords, Settings(data_dir=tmp_path, _env_file=None))
    return await database.read(identify, ServiceToken(), 0)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[FaultyStore]:
    """An empty store that fails when told to."""
    store = FaultyStore(LocalStore(tmp_path / "objects"))
    yield store
    await store.aclose()


def limited(owner: Identity, **limits: Any) -> Identity:  # noqa: ANN401 - of a tier
    return replace(owner, tier=replace(owner.tier, **limits))


async def reserve(
    database: Database, owner: Identity, size: int = 100, slots: int = 1, now: int = NOW
) -> Reservation:
    key = new_key("blobs")
    return await database.write(
        objects.reserve, owner, kind="blobs", key=key, size=size, slots=slots, now=now
    )


async def settle(
    database: Database, owner: Identity, received: Received, slots: int = 1, now: int = NOW
) -> int:
    return await database.write(objects.settle, owner, received, kind="blobs", slots=slots, now=now)


def small(data: bytes) -> Received:
    return Received(len(data), SHA256, None, data)


async def used(database: Database, owner: Identity) -> tuple[int, int]:
    query = select(accounts.c.used_bytes, accounts.c.used_objects)

    def read(connection: Connection) -> tuple[int, int]:
        size, number = connection.execute(query.where(accounts.c.id == owner.account_id)).one()
        return size, number

    return await database.read(read)


async def row_of(database: Database, object_id: int) -> Any:  # noqa: ANN401 - a row
    def read(connection: Connection) -> Any:  # noqa: ANN401
        return connection.execute(select(rows).where(rows.c.id == object_id)).one_or_none()

    return await database.read(read)


async def buried(database: Database) -> dict[str, int]:
    def read(connection: Connection) -> dict[str, int]:
        found = connection.execute(select(tombstones.c.key, tombstones.c.due_at))
        return {row.key: row.due_at for row in found}

    return await database.read(read)


async def put(store: FaultyStore, key: str) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"x"

    await store.put(key, body(), size=1)


async def keys(store: FaultyStore) -> set[str]:
    return {info.key async for info in store.list()}


async def test_a_small_object_is_ready_at_once(database: Database, owner: Identity) -> None:
    object_id = await settle(database, owner, small(b"hello"))
    row = await row_of(database, object_id)
    assert (row.state, row.size, row.key, row.lease_until) == ("ready", 5, None, None)
    assert (row.charged_bytes, row.charged_slots) == await used(database, owner) == (5, 1)
    await database.write(removal.remove, object_id, due_at=NOW)
    assert await used(database, owner) == (0, 0)
    assert await buried(database) == {}
    count = select(func.count()).select_from(object_bytes)
    assert await database.read(lambda c: c.execute(count).scalar_one()) == 0


async def test_a_large_object_is_reserved_and_becomes_ready(
    database: Database, owner: Identity
) -> None:
    reservation = await reserve(database, owner, size=100)
    row = await row_of(database, reservation.object_id)
    assert (row.state, row.lease_until, row.sha256) == ("pending", NOW + LEASE, None)
    assert await used(database, owner) == (100, 1)

    received = Received(100, SHA256, reservation, None)
    object_id = await settle(database, owner, received, now=NOW + LEASE - 1)

    assert object_id == reservation.object_id
    row = await row_of(database, object_id)
    assert (row.state, row.size, row.key) == ("ready", 100, reservation.key)
    assert (row.lease_until, row.created_at) == (None, NOW + LEASE - 1)
    assert await used(database, owner) == (100, 1)
    with pytest.raises(LeaseLost):  # once is enough
        await settle(database, owner, received)
    await database.write(objects.give_up, reservation, NOW)  # too late: it is ready
    assert await used(database, owner) == (100, 1)


@pytest.mark.parametrize("data", [None, b"ten bytes!"])
async def test_what_turns_out_smaller_is_charged_for_what_it_is(
    database: Database, owner: Identity, data: bytes | None
) -> None:
    reservation = await reserve(database, owner, size=0)
    for total in (1000, 1500):
        await database.write(objects.grow, reservation, total)
        reservation = replace(reservation, charged_bytes=total)
    assert await used(database, owner) == (1500, 1)
    object_id = await settle(database, owner, Received(10, SHA256, reservation, data))
    assert await used(database, owner) == (10, 1)
    row = await row_of(database, object_id)
    assert (row.key is None) == (data is not None)
    assert row.charged_bytes == 10


async def test_growing_is_for_the_one_who_holds_the_lease(
    database: Database, owner: Identity
) -> None:
    reservation = await reserve(database, owner, size=10)
    await database.write(objects.grow, reservation, 20)
    with pytest.raises(LeaseLost):  # it says how far it was charged, and that is not so
        await database.write(objects.grow, reservation, 30)
    await database.write(objects.give_up, reservation, NOW)
    with pytest.raises(LeaseLost):
        await database.write(objects.grow, replace(reservation, charged_bytes=20), 30)
    assert await used(database, owner) == (0, 0)


async def test_growing_stops_at_the_limit(database: Database, owner: Identity) -> None:
    tight = limited(owner, max_total_bytes=25)
    reservation = await reserve(database, tight, size=10)
    with pytest.raises(QuotaExceeded):
        await database.write(objects.grow, reservation, 26)
    await database.write(objects.grow, reservation, 25)
    assert await used(database, owner) == (25, 1)


async def test_limits_hold_at_each_step(database: Database, owner: Identity) -> None:
    tight = limited(owner, max_total_bytes=100, max_objects=2, max_object_bytes=50)
    with pytest.raises(ContentTooLarge):
        await settle(database, tight, small(b"x" * 51))
    failed = await reserve(database, tight, size=50)
    with pytest.raises(ContentTooLarge):
        await settle(database, tight, Received(51, SHA256, failed, None))
    first = await settle(database, tight, small(b"x" * 50))
    with pytest.raises(QuotaExceeded):  # beside the failed upload, which still holds its charge
        await settle(database, tight, small(b""))
    assert await used(database, owner) == (100, 2)
    await database.write(sweep.end_dead_leases, NOW + LEASE)
    with pytest.raises(QuotaExceeded):
        await reserve(database, tight, size=51)
    await reserve(database, tight, size=50)
    with pytest.raises(QuotaExceeded):
        await reserve(database, tight, size=0)
    assert await used(database, owner) == (100, 2)
    await database.write(removal.remove, first, due_at=NOW)
    assert await used(database, owner) == (50, 1)


async def test_concurrent_charges_do_not_overshoot(database: Database, owner: Identity) -> None:
    tight = limited(owner, max_total_bytes=100, max_objects=7)

    async def try_one(n: int) -> bool:
        with suppress(QuotaExceeded):
            if n % 2:
                await settle(database, tight, small(b"x" * 10))
            else:
                await reserve(database, tight, size=15)
            return True
        return False

    done = await asyncio.gather(*(try_one(n) for n in range(30)))
    size, number = await used(database, owner)
    assert number == sum(done) <= 7
    assert size == sum(10 if n % 2 else 15 for n, ok in enumerate(done) if ok) <= 100


async def test_replaced_bytes_stay_for_their_readers(
    database: Database, owner: Identity, store: FaultyStore
) -> None:
    old = await reserve(database, owner, size=70)
    await put(store, old.key)
    old_id = await settle(database, owner, Received(70, SHA256, old, None))
    new = await reserve(database, owner, size=30, slots=0)
    await put(store, new.key)
    assert await used(database, owner) == (100, 1)

    def swap(connection: Connection) -> None:
        received = Received(30, SHA256, new, None)
        new_id = objects.settle(connection, owner, received, kind="blobs", slots=0, now=NOW)
        objects.replace(connection, old=old_id, new=new_id, modified_at=NOW, now=NOW)

    await database.write(swap)

    assert await used(database, owner) == (30, 1)
    assert (await row_of(database, new.object_id)).charged_slots == 1
    assert not await database.read(objects.exists, old_id)
    assert await database.read(objects.exists, new.object_id)
    assert await buried(database) == {old.key: NOW + GRACE}
    task = Sweep(database, store)
    assert await task.next_due(NOW) == NOW + GRACE
    assert await task.run_once(NOW + GRACE - 1) == 0
    assert await keys(store) == {old.key, new.key}
    assert await task.run_once(NOW + GRACE) == 1
    assert await keys(store) == {new.key}
    assert await buried(database) == {}
    assert await task.next_due(NOW) is None


async def test_an_upload_given_up_leaves_nothing(
    database: Database, owner: Identity, store: FaultyStore
) -> None:
    reservation = await reserve(database, owner)
    await put(store, reservation.key)
    for _ in range(2):  # once more does no harm
        await database.write(objects.give_up, reservation, NOW)
        assert await used(database, owner) == (0, 0)
        assert await buried(database) == {reservation.key: NOW}
    assert await Sweep(database, store).run_once(NOW) == 1
    assert await keys(store) == set()


async def test_a_dead_upload_is_swept_and_a_late_put_of_it_too(
    database: Database, owner: Identity, store: FaultyStore
) -> None:
    task = Sweep(database, store)
    reservation = await reserve(database, owner)
    assert await task.next_due(NOW) == NOW + LEASE
    assert await task.run_once(NOW + LEASE - 1) == 0
    assert await task.run_once(NOW + LEASE) == 2  # the lease, and the bytes that may be there
    assert await used(database, owner) == (0, 0)
    await put(store, reservation.key)  # the process was only slow
    with pytest.raises(LeaseLost):
        await settle(database, owner, Received(1, SHA256, reservation, None), now=NOW + LEASE)
    await database.write(objects.give_up, reservation, NOW + LEASE)
    assert await used(database, owner) == (0, 0)
    await task.run_once(NOW + LEASE)
    assert await keys(store) == set()


async def test_a_lease_is_renewed_while_it_lasts(database: Database, owner: Identity) -> None:
    alive, dead, ready = [await reserve(database, owner) for _ in range(3)]
    await settle(database, owner, Received(1, SHA256, ready, None))
    ids = [alive.object_id, ready.object_id]
    await database.write(objects.renew, ids, NOW + LEASE - 1)
    until = [(await row_of(database, r.object_id)).lease_until for r in (alive, dead, ready)]
    assert until == [NOW + 2 * LEASE - 1, NOW + LEASE, None]
    assert await database.write(sweep.end_dead_leases, NOW + LEASE) == 1
    await database.write(objects.renew, [dead.object_id], NOW + LEASE)
    with pytest.raises(LeaseLost):
        await settle(database, owner, Received(1, SHA256, dead, None), now=NOW + LEASE)
    await settle(database, owner, Received(1, SHA256, alive, None), now=NOW + LEASE)


async def test_a_lease_that_no_sweep_has_ended_is_held_whatever_the_clock_says(
    database: Database, owner: Identity
) -> None:
    settled, renewed = [await reserve(database, owner) for _ in range(2)]
    later = NOW + 12 * LEASE
    await settle(database, owner, Received(1, SHA256, settled, None), now=later)
    await database.write(objects.renew, [renewed.object_id], later)
    assert (await row_of(database, renewed.object_id)).lease_until == later + LEASE


async def test_no_lease_ends_just_after_the_clock_has_jumped(
    database: Database, owner: Identity, store: FaultyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who holds a lease needs a moment to renew it; so in every process that sweeps."""
    ahead, passed = 0, 0
    monkeypatch.setattr(clock, "now", lambda: NOW + ahead + passed)
    monkeypatch.setattr(clock, "monotonic", lambda: passed)
    task = Sweep(database, store)
    held = await reserve(database, owner)
    ahead = 12 * LEASE
    assert await task.run_once(clock.now()) == 0
    assert await task.next_due(clock.now()) == clock.now() + leases.SETTLING
    passed = leases.SETTLING - 1
    assert await task.run_once(clock.now()) == 0
    await database.write(objects.renew, [held.object_id], clock.now())
    passed += 1
    assert await task.run_once(clock.now()) == 0
    passed += LEASE
    assert await task.run_once(clock.now()) == 2, "it was not renewed again"


class LateStore(FaultyStore):
    """A store like those at the end of a network, whose puts may take effect late."""

    late = 3600.0


async def test_what_a_put_may_bring_late_is_deleted_again(
    database: Database, owner: Identity, tmp_path: Path
) -> None:
    late = int(LateStore.late) * clock.SECOND
    store = LateStore(LocalStore(tmp_path / "late"))
    task = Sweep(database, store)
    given_up, dead = [await reserve(database, owner) for _ in range(2)]
    await database.write(objects.give_up, given_up, NOW + 5)
    for moment in (NOW + 5, NOW + LEASE):
        assert await task.run_once(moment) > 0
    ended = {given_up.key: NOW + 5, dead.key: NOW + LEASE}
    assert await buried(database) == {key: put_at + late for key, put_at in ended.items()}
    for key in ended:
        await put(store, key)
    assert await task.next_due(NOW + LEASE) == NOW + 5 + late
    assert await task.run_once(NOW + 4 + late) == 0
    assert await task.run_once(NOW + LEASE + late) == 2
    assert (await keys(store), await buried(database)) == (set(), {})
    await store.aclose()


@pytest.mark.parametrize("several", [False, True])
async def test_only_what_was_put_lately_is_deleted_twice(
    database: Database, owner: Identity, tmp_path: Path, several: bool
) -> None:
    late = int(LateStore.late) * clock.SECOND
    store = LateStore(LocalStore(tmp_path / "late"))
    ready = []
    for put_at in (NOW, NOW + late - 1, NOW + late):
        reservation = await reserve(database, owner, now=put_at)
        received = Received(1, SHA256, reservation, None)
        ready.append((await settle(database, owner, received, now=put_at), reservation.key))
    ids = [object_id for object_id, _ in ready]
    if several:
        await database.write(removal.remove_all, ids, due_at=NOW + late)
    for object_id in ids:
        await database.write(removal.remove, object_id, due_at=NOW + late)
    assert await Sweep(database, store).run_once(NOW + late) == 3
    assert await buried(database) == {ready[1][1]: NOW + 2 * late - 1, ready[2][1]: NOW + 2 * late}
    await store.aclose()


async def test_what_comes_while_a_sweep_deletes_is_not_forgotten(
    database: Database, owner: Identity, store: FaultyStore
) -> None:
    """A process that was taken for dead ends its put between the delete and the sweep's end."""
    reservation = await reserve(database, owner)
    task = Sweep(database, store)
    stall = store.stall("delete", moment="after")
    sweeping = asyncio.create_task(task.run_once(NOW + LEASE))
    await stall.reached.wait()
    await put(store, reservation.key)
    await database.write(objects.give_up, reservation, NOW + LEASE + 1)
    stall.go.set()
    await sweeping
    assert await buried(database) == {reservation.key: NOW + LEASE + 1}
    assert await task.run_once(NOW + LEASE + 1) == 1
    assert await keys(store) == set()


async def test_an_older_database_has_nothing_swept(
    database: Database, owner: Identity, store: FaultyStore
) -> None:
    await database.write(instance.identify, "an-id")
    await generations.raise_generation(database, store)
    reservation = await reserve(database, owner)
    await put(store, reservation.key)
    await database.write(objects.give_up, reservation, NOW)
    older = update(rows_of_instance).values(generation=0)
    await database.write(lambda connection: connection.execute(older).rowcount)
    task = Sweep(database, store)
    with pytest.raises(generations.OlderDatabase, match="generation 0, the store's is 1"):
        await task.run_once(NOW)
    with pytest.raises(generations.OlderDatabase):
        await generations.raise_generation(database, store)
    assert reservation.key in await keys(store)
    assert await buried(database) == {reservation.key: NOW}
    await generations.catch_up(database, store)
    assert await task.run_once(NOW + sweep.CLAIM) == 1
    assert reservation.key not in await keys(store)


async def test_what_the_put_of_a_mark_left_is_cleared_with_the_next(
    database: Database, store: FaultyStore, tmp_path: Path
) -> None:
    await database.write(instance.identify, "an-id")
    await generations.raise_generation(database, store)
    cut_off = tmp_path / "objects" / ".staging" / f"instance-{1:032x}"
    cut_off.touch()
    await generations.raise_generation(database, store)
    assert not cut_off.exists()
    assert await generations.stored_generation(store) == 2


async def test_a_kind_whose_disk_is_gone_keeps_no_other_from_being_swept(
    database: Database, owner: Identity, tmp_path: Path
) -> None:
    store = LocalStore(tmp_path / "objects", kinds={"dumps": tmp_path / "dumps"})
    made = []
    for kind in ("dumps", "blobs", "pictures"):
        key = new_key(kind)
        made.append(key)
        reservation = await database.write(
            objects.reserve, owner, kind=kind, key=key, size=1, slots=1, now=NOW
        )
        await put(FaultyStore(store), key)
        await database.write(objects.give_up, reservation, NOW)
    (tmp_path / "dumps").rename(tmp_path / "gone")
    task = Sweep(database, store)
    with pytest.raises(StoreUnavailable):
        await task.run_once(NOW)
    assert await buried(database) == {made[0]: NOW}
    (tmp_path / "gone").rename(tmp_path / "dumps")
    assert await task.run_once(NOW + sweep.CLAIM) == 1
    assert [info async for info in store.list()] == []
    await store.aclose()


@pytest.mark.parametrize("moment", ["before", "midway", "after"])
async def test_a_sweep_that_fails_is_made_up_for(
    database: Database, owner: Identity, store: FaultyStore, moment: Moment
) -> None:
    for _ in range(4):
        reservation = await reserve(database, owner)
        await put(store, reservation.key)
        await database.write(objects.give_up, reservation, NOW)
    task = Sweep(database, store)
    store.fail("delete", moment=moment)
    with pytest.raises(StoreUnavailable):
        await task.run_once(NOW)
    assert len(await buried(database)) == 4
    assert await task.run_once(NOW + 1) == 0  # another sweep may be at it
    assert await task.run_once(NOW + sweep.CLAIM) == 4
    assert await keys(store) == set()
    assert await buried(database) == {}


async def test_a_sweep_that_is_stopped_leaves_no_claims(
    database: Database, owner: Identity, store: FaultyStore
) -> None:
    reservation = await reserve(database, owner)
    await put(store, reservation.key)
    await database.write(objects.give_up, reservation, NOW)
    delete = store.stall("delete")
    sweeping = asyncio.create_task(Sweep(database, store).run_once(NOW))
    await delete.reached.wait()
    sweeping.cancel()
    delete.go.set()
    with pytest.raises(asyncio.CancelledError):
        await sweeping
    assert await buried(database) == {}


async def test_sweeps_share_the_work(
    database: Database, owner: Identity, store: FaultyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "BATCH", 3)
    for n in range(10):
        reservation = await reserve(database, owner)
        if n % 2:
            await database.write(objects.give_up, reservation, NOW)

    async def drain() -> int:
        task, swept = Sweep(database, store), 0
        while done := await task.run_once(NOW + LEASE):
            swept += done
        return swept

    assert sum(await asyncio.gather(*(drain() for _ in range(3)))) == 5 + 10
    assert await buried(database) == {}
    assert await used(database, owner) == (0, 0)


async def test_accounts_are_charged_apart(database: Database, owner: Identity) -> None:
    def no_room(connection: Connection) -> None:
        connection.execute(update(accounts).values(used_bytes=7, used_objects=3))
        quota.charge(connection, owner, 1, 1)
        raise QuotaExceeded

    with pytest.raises(QuotaExceeded):
        await database.write(no_room)
    assert await used(database, owner) == (0, 0)  # nothing of a transaction that fails stays


class Walk:
    """Takes steps at random, beside a model that knows nothing but sums."""

    def __init__(self, database: Database, store: FaultyStore, owner: Identity, seed: int) -> None:
        self.now = NOW
        self.pending: dict[int, tuple[Reservation, int]] = {}  # with the end of its lease
        self.ready: dict[int, int] = {}  # with its size
        self.sweep = Sweep(database, store)
        self._database = database
        self._store = store
        self._owner = owner
        self._chance = random.Random(seed)

    @property
    def charged(self) -> tuple[int, int]:
        sizes = [reservation.charged_bytes for reservation, _ in self.pending.values()]
        return sum(sizes) + sum(self.ready.values()), len(self.pending) + len(self.ready)

    async def step(self) -> None:
        steps = [
            self.reserve, self.reserve, self.settle_small, self.settle_small, self.settle_large,
            self.grow, self.give_up, self.replace, self.remove, self.sweep_twice,
        ]  # fmt: skip
        self.now += self._chance.randrange(LEASE // 3)
        with suppress(QuotaExceeded, LeaseLost, IndexError):  # IndexError: nothing to choose from
            await self._chance.choice(steps)()

    def _data(self) -> bytes:
        return b"x" * self._chance.randrange(150)

    def _pending(self) -> int:
        return self._chance.choice(list(self.pending))

    async def reserve(self) -> None:
        size = self._chance.randrange(150)
        reservation = await reserve(self._database, self._owner, size=size, now=self.now)
        await put(self._store, reservation.key)
        self.pending[reservation.object_id] = reservation, self.now + LEASE

    async def settle_small(self) -> None:
        received = small(self._data())
        object_id = await settle(self._database, self._owner, received, now=self.now)
        self.ready[object_id] = received.size

    async def settle_large(self) -> None:
        reservation, _ = self.pending.pop(self._pending())
        received = Received(self._chance.randrange(150), SHA256, reservation, None)
        try:
            object_id = await settle(self._database, self._owner, received, now=self.now)
        except QuotaExceeded:
            await self._database.write(objects.give_up, reservation, self.now)
        else:
            self.ready[object_id] = received.size

    async def grow(self) -> None:
        object_id = self._pending()
        reservation, until = self.pending[object_id]
        total = reservation.charged_bytes + self._chance.randrange(1, 100)
        await self._database.write(objects.grow, reservation, total)
        self.pending[object_id] = replace(reservation, charged_bytes=total), until

    async def give_up(self) -> None:
        reservation, _ = self.pending.pop(self._pending())
        await self._database.write(objects.give_up, reservation, self.now)

    async def replace(self) -> None:
        old, received = self._chance.choice(list(self.ready)), small(self._data())

        def swap(connection: Connection) -> int:
            new = objects.settle(
                connection, self._owner, received, kind="blobs", slots=0, now=self.now
            )
            objects.replace(connection, old=old, new=new, modified_at=self.now, now=self.now)
            return new

        self.ready[await self._database.write(swap)] = received.size
        del self.ready[old]

    async def remove(self) -> None:
        object_id = self._chance.choice(list(self.ready))
        await self._database.write(removal.remove, object_id, due_at=self.now)
        del self.ready[object_id]

    async def sweep_twice(self) -> None:
        for _ in range(2):
            await self.sweep.run_once(self.now)
        self.pending = {i: held for i, held in self.pending.items() if held[1] > self.now}


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_happens_the_books_are_exact(
    database: Database, owner: Identity, store: FaultyStore, seed: int
) -> None:
    walk = Walk(database, store, limited(owner, max_total_bytes=500, max_objects=6), seed)
    for _ in range(80):
        await walk.step()
        assert await used(database, owner) == walk.charged
    walk.now += 10 * LEASE + GRACE
    while await walk.sweep.run_once(walk.now):
        pass
    assert await used(database, owner) == (sum(walk.ready.values()), len(walk.ready))
    known = [(await row_of(database, object_id)).key for object_id in walk.ready]
    assert await keys(store) == {key for key in known if key is not None}
