"""Copying from one store to another: whole, verified, and never against a delete."""

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator

import pytest

from app import clock
from app.moving import rows
from app.moving.copying import Rate
from app.moving.remaining import count_left
from app.moving.rows import Progress
from app.tasks import reconcile
from storage.base import ObjectInfo
from storage.conformance.bodies import chunked
from storage.conformance.hooks import MIB
from storage.errors import StoreFull, StoreUnavailable
from storage.parts import LATE
from tests.app.moving.conftest import House
from tests.faults import FaultyStore

pytestmark = pytest.mark.anyio

SECOND = clock.SECOND
DAY = 24 * 3600 * SECOND


async def progress(house: House) -> Progress | None:
    return await house.database.read(rows.progress)


async def test_everything_is_copied_and_nothing_taken_away(house: House) -> None:
    keys = [await house.put(size) for size in (20_000, 3 * MIB, 9 * MIB + 1)]
    keys += await house.put_segments([1000, 2 * MIB, 1])
    assert await count_left(house.database, house.store) == Progress(6, 14 * MIB + 21_002)
    assert await house.task().run_once(clock.now()) == 0
    assert await house.copied() == await house.kept() == {*keys}
    for key in keys:
        assert house.path("new", key).read_bytes() == house.path("previous", key).read_bytes()
    assert await house.is_over()
    assert await progress(house) == Progress(0, 0)
    assert await count_left(house.database, house.store) == Progress(0, 0)


async def test_the_next_look_is_a_day_later(house: House) -> None:
    task, now = house.task(), clock.now()
    assert await task.next_due(now) == now
    await task.run_once(now)
    due = await task.next_due(now)
    assert due is not None
    assert DAY - 60 * SECOND < due - now < DAY + 600 * SECOND
    key = await house.put()  # by an older process
    await task.run_once(due)
    assert await house.copied() == {key}


async def test_one_process_at_a_time_copies(house: House) -> None:
    keys = {await house.put(size) for size in range(1000, 1030)}
    now = clock.now()
    house.new.calls.clear()
    await asyncio.gather(*(house.task().run_once(now) for _ in range(4)))
    assert await house.copied() == keys
    assert house.new.calls["list"] == 2, "one to find what is left, one for the generation"


async def test_a_turn_that_was_not_renewed_is_anothers(house: House) -> None:
    now = clock.now()
    until = await house.database.write(rows.claim, now)
    assert until is not None
    assert await house.database.write(rows.claim, until - 1) is None
    other = await house.database.write(rows.claim, until)
    assert other == until + rows.LEASE
    assert await house.database.write(rows.hand_on, until, until + 9, Progress(1, 1)) is None
    assert await progress(house) is None
    assert await house.database.write(rows.hand_on, other, other + 9, Progress(1, 2)) == other + 9
    assert await progress(house) == Progress(1, 2)


async def test_what_is_damaged_is_not_copied_and_holds_nothing_up(house: House) -> None:
    keys = [await house.put(size) for size in range(1000, 1040)]
    harmed = house.path("previous", keys[0])
    whole = harmed.read_bytes()
    harmed.write_bytes(b"?" * len(whole))
    cut = house.path("previous", keys[1])
    others = cut.read_bytes()
    cut.write_bytes(others[:-1])
    task, now = house.task(), clock.now()
    await task.run_once(now)
    assert await house.copied() == {*keys[2:]}
    assert not await house.is_over()
    left = await progress(house)
    assert left is not None
    assert (left.objects, left.bytes, left.failed) == (2, 2001, 2)
    due = await task.next_due(now)
    assert due is not None
    assert due - now < 3600 * SECOND
    harmed.write_bytes(whole)
    cut.write_bytes(others)
    await task.run_once(due)
    assert await house.copied() == {*keys}
    assert await house.is_over()


async def test_what_is_deleted_after_it_was_counted_is_not_left(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "BATCH", 1)
    keys = [await house.put(size) for size in (1000, 2000, 3000)]
    house.path("previous", keys[0]).write_bytes(b"?" * 1000)
    stall = house.previous.stall("open")
    copying = asyncio.create_task(house.task().run_once(clock.now()))
    await stall.reached.wait()
    await house.delete(keys[2])
    stall.go.set()
    await copying
    assert await progress(house) == Progress(1, 1000, 1)


async def test_what_neither_store_has_is_not_waited_for(house: House) -> None:
    lost, kept = await house.put(), await house.put()
    house.path("previous", lost).unlink()
    assert await count_left(house.database, house.store) == Progress(1, 1000)
    await house.task().run_once(clock.now())
    assert await house.copied() == {kept}
    assert await house.is_over()


async def test_an_object_that_fails_alone_is_left_for_later(house: House) -> None:
    keys = {await house.put(size) for size in range(1000, 1010)}
    house.previous.fail("open")
    await house.task().run_once(clock.now())
    assert len(await house.copied()) == 9
    assert not await house.is_over()
    await house.task().run_once(clock.now() + DAY)
    assert await house.copied() == keys


@pytest.mark.parametrize("error", [StoreUnavailable("gone"), StoreFull("full")])
async def test_a_store_that_fails_is_given_time_and_it_goes_on_from_there(
    house: House, error: Exception
) -> None:
    keys = {await house.put(size) for size in range(1000, 1060)}
    task, now = house.task(), clock.now()
    house.new.fail("put", times=1000, error=error)
    house.new.fail("ping", times=1000)
    with pytest.raises(type(error), match=str(error) if isinstance(error, StoreFull) else "fail"):
        await task.run_once(now)
    assert house.new.calls["put"] < 50
    assert not await house.is_over()
    due = await task.next_due(now)
    assert due is not None
    assert due <= clock.now(), "the task is tried again when its supervisor wants to"
    house.new.heal()
    await task.run_once(clock.now())
    assert await house.copied() == keys
    before = house.new.calls["put"]
    await house.task().run_once(clock.now() + DAY)
    assert house.new.calls["put"] == before, "nothing is copied twice"


async def test_what_a_killed_copy_left_is_no_obstacle(house: House) -> None:
    key = await house.put()
    staged = house.folder / "new" / ".staging" / f"blobs-{key[-32:]}"
    staged.write_bytes(b"half")
    await house.task().run_once(clock.now())
    assert await house.copied() == {key}
    assert not staged.exists()


class Uploading(FaultyStore):
    """Has an upload under way, which ends as soon as it has been listed."""

    def __init__(self, inner: FaultyStore, house: House) -> None:
        super().__init__(inner.inner)
        self.house = house
        self.key = ""

    async def put(
        self, key: str, body: AsyncIterable[bytes | memoryview], *, size: int | None
    ) -> None:
        """Put, and take away what is there when the body fails, as the PostgreSQL store does."""
        try:
            await self.inner.put(key, body, size=size)
        except BaseException:
            await self.inner.delete([key])
            raise

    async def unfinished(self) -> AsyncIterator[ObjectInfo]:
        if self.key:
            return
        self.key = await self.house.put()
        yield ObjectInfo(self.key, -1, 0)
        await self.inner.put(self.key, chunked(b"uploaded", 1), size=None)
        await self.house.previous.inner.delete([self.key])


async def test_an_upload_that_was_under_way_is_no_copy_that_was_cut_off(house: House) -> None:
    house.new = new = Uploading(house.new, house)
    await house.task().run_once(clock.now())
    assert await house.copied() == {new.key}
    assert house.path("new", new.key).read_bytes() == b"uploaded"


async def test_what_is_deleted_while_it_is_read_is_not_put(house: House) -> None:
    key = await house.put(3 * MIB)
    stall = house.previous.stall("open", moment="midway")
    copying = asyncio.create_task(house.task().run_once(clock.now()))
    await stall.reached.wait()
    await house.delete(key)
    stall.go.set()
    await copying
    assert await house.copied() == set()
    assert house.woken == []
    assert await house.is_over()


class LatePut(FaultyStore):
    """Has a put take effect only when it may, long after it has had the whole body."""

    def __init__(self, inner: FaultyStore) -> None:
        super().__init__(inner.inner)
        self.has_all = asyncio.Event()
        self.may = asyncio.Event()

    async def put(
        self, key: str, body: AsyncIterable[bytes | memoryview], *, size: int | None
    ) -> None:
        data = b"".join([bytes(chunk) async for chunk in body])
        self.has_all.set()
        await self.may.wait()
        await self.inner.put(key, chunked(data, MIB), size=size)


async def test_a_put_that_comes_after_the_sweep_is_swept_again(house: House) -> None:
    key = await house.put()
    house.new = new = LatePut(house.new)
    copying = asyncio.create_task(house.task().run_once(clock.now()))
    await new.has_all.wait()
    await house.delete(key)
    assert await house.sweep().run_once(clock.now()) == 1
    assert await house.kept() == set()
    new.may.set()
    await copying
    assert await house.copied() == {key}
    assert house.woken
    assert await house.sweep().run_once(clock.now()) == 1
    assert await house.copied() == set()


async def test_a_put_after_which_its_process_died_is_swept_too(house: House) -> None:
    key = await house.put()
    house.new = new = LatePut(house.new)
    copying = asyncio.create_task(house.task().run_once(clock.now()))
    await new.has_all.wait()
    await house.delete(key)
    assert await house.sweep().run_once(clock.now()) == 1
    copying.cancel()
    await asyncio.wait([copying])
    await new.inner.put(key, chunked(b"the last it did", MIB), size=None)
    later = clock.now() + int(LATE * SECOND)
    assert await house.sweep().run_once(later - 600 * SECOND) == 0
    assert await house.sweep().run_once(later) == 1
    assert await house.copied() == set()
    assert await house.sweep().run_once(later + DAY) == 0, "the tombstone is gone as well"


async def test_a_rate_bounds_what_passes() -> None:
    rate = Rate(10 * MIB)
    started = time.monotonic()
    await asyncio.gather(*(rate.take(MIB) for _ in range(4)))
    assert time.monotonic() - started > 0.29
    free = Rate(None)
    started = time.monotonic()
    for _ in range(1000):
        await free.take(1 << 40)
    assert time.monotonic() - started < 10
