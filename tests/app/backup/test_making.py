"""Making a snapshot: consistent while the service runs, cheap the next time, there at the end."""

import asyncio
import hashlib
import json
import os
from pathlib import Path

import pytest

from app import clock
from app.backup import errors, writing
from app.backup.manifest import DAMAGED, MISSING, Absent
from app.backup.rows import LEFT_OUT
from app.database.schema import metadata
from app.dumps.tables import dump_counts, signature_counts
from app.features import OWN_TABLES
from app.objects import holds
from app.tasks.sweep import Sweep
from storage.errors import StoreUnavailable
from tests.app.backup.conftest import LARGE, House

pytestmark = pytest.mark.anyio

HOUR = 3600 * clock.SECOND


def key_in(folder: Path, data: bytes) -> str:
    """Return the key of the object in a folder that has these bytes."""
    (key,) = [
        path.relative_to(folder).as_posix()
        for path in folder.glob("blobs/?/?/*")
        if path.read_bytes() == data
    ]
    return key


def objects_of(house: House) -> Path:
    return house.service.settings.objects_path


def test_no_table_of_accounts_is_left_out() -> None:
    left_out = {metadata.tables[name] for name in LEFT_OUT} - {dump_counts, signature_counts}
    assert left_out < set(OWN_TABLES)


async def test_the_next_snapshot_copies_what_is_new_alone(house: House) -> None:
    first = await house.back_up()
    assert (first.copied, first.bytes) == (1, len(LARGE))
    await house.put("more", LARGE[::-1])
    second = await house.back_up()
    assert (second.copied, second.bytes) == (1, len(LARGE))
    assert (await house.back_up()).copied == 0
    taken = [snapshot.manifest.objects.objects for snapshot in await house.snapshots()]
    assert taken == [2, 2, 1], "the newest first"


async def test_what_the_rows_name_stays_until_it_is_copied(house: House) -> None:
    """It is replaced or deleted when the rows have been read, and a sweep comes at once."""
    await house.put("other", LARGE[::-1])
    reading = house.store.stall("open")
    backup = asyncio.create_task(house.back_up())
    await asyncio.wait_for(reading.reached.wait(), 120)
    await house.delete("other")
    await house.put("large", LARGE * 2)
    sweep = Sweep(house.service.runtime.parts.database, house.service.runtime.parts.store)
    assert await sweep.run_once(clock.now()) == 0
    reading.go.set()
    made = await backup
    assert (made.copied, made.snapshot.manifest.absent) == (2, ())
    assert {path.read_bytes() for path in house.folder.glob("blobs/?/?/*")} == {LARGE, LARGE[::-1]}
    assert await sweep.run_once(clock.now() + HOUR) == 2, "no hold is left"


async def test_a_backup_that_fails_leaves_no_snapshot_and_the_next_goes_on(house: House) -> None:
    await house.put("other", LARGE[::-1])
    house.store.fail("open", moment="midway")
    with pytest.raises(StoreUnavailable):
        await house.back_up()
    assert await house.snapshots() == []
    copied = len(await house.objects())
    assert (await house.back_up()).copied == 2 - copied
    assert len(await house.snapshots()) == 1


async def test_without_its_manifest_a_snapshot_is_not_there(house: House) -> None:
    await house.back_up()
    house.target.stall("list").go.set()  # of claims
    listing = house.target.stall("list")  # of what is there: the rows have been put
    backup = asyncio.create_task(house.back_up())
    await asyncio.wait_for(listing.reached.wait(), 120)
    house.target.fail("put")
    listing.go.set()
    with pytest.raises(StoreUnavailable):
        await backup
    assert len(await house.snapshots()) == 1


async def test_what_an_interrupted_put_has_left_is_cleared_away(house: House) -> None:
    key = key_in(objects_of(house), LARGE)
    staged = house.folder / ".staging" / f"blobs-{key.rpartition('/')[2]}"
    staged.write_bytes(b"half")
    assert (await house.back_up()).copied == 1
    assert not staged.exists()


async def test_a_lost_hold_ends_the_backup(house: House) -> None:
    """As after a night in which the host slept: what is missing may have been swept."""
    reading = house.store.stall("open")
    backup = asyncio.create_task(house.back_up())
    await asyncio.wait_for(reading.reached.wait(), 120)
    await house.service.runtime.parts.database.write(
        lambda connection: connection.exec_driver_sql("DELETE FROM holds")
    )
    await house.delete("large")
    await Sweep(house.service.runtime.parts.database, house.service.runtime.parts.store).run_once(
        clock.now()
    )
    reading.go.set()
    with pytest.raises(errors.LeaseLost, match="run it again"):
        await backup
    assert await house.snapshots() == []


async def test_what_was_deleted_in_spite_of_the_hold_is_told(house: House) -> None:
    """A process of an older version beside this one sweeps whatever is held."""
    reading = house.store.stall("open")
    backup = asyncio.create_task(house.back_up())
    await asyncio.wait_for(reading.reached.wait(), 120)
    key = key_in(objects_of(house), LARGE)
    await house.delete("large")
    await house.store.delete([key])
    database = house.service.runtime.parts.database
    await database.write(lambda connection: connection.exec_driver_sql("DELETE FROM tombstones"))
    reading.go.set()
    with pytest.raises(errors.BackupError, match=f"{key} was deleted while the backup held it"):
        await backup


async def test_what_the_store_lacks_is_told_and_all_else_is_saved(house: House) -> None:
    for data in (LARGE[::-1], LARGE * 2):
        await house.put(hashlib.sha256(data).hexdigest(), data)
    missing, damaged = (key_in(objects_of(house), data) for data in (LARGE, LARGE[::-1]))
    (objects_of(house) / missing).unlink()
    (objects_of(house) / damaged).write_bytes(b"x" + LARGE[-2::-1])
    made = await house.back_up()
    expected = [Absent(missing, MISSING), Absent(damaged, DAMAGED)]
    assert sorted(made.snapshot.manifest.absent, key=str) == sorted(expected, key=str)
    assert made.copied == 1
    assert {path.read_bytes() for path in house.folder.glob("blobs/?/?/*")} == {LARGE * 2}


async def test_what_an_earlier_backup_has_is_not_absent(house: House) -> None:
    await house.back_up()
    (objects_of(house) / key_in(objects_of(house), LARGE)).unlink()
    assert (await house.back_up()).snapshot.manifest.absent == ()


async def test_one_at_a_time_writes_to_a_target(house: House) -> None:
    reading = house.store.stall("open")
    backup = asyncio.create_task(house.back_up())
    await asyncio.wait_for(reading.reached.wait(), 120)
    with pytest.raises(errors.TargetBusy, match="a backup is writing to the target"):
        await house.back_up()
    reading.go.set()
    await backup
    await house.back_up()
    assert [info async for info in house.target.list(f"{writing.KIND}/")] == []


async def leave_a_claim(house: House, **facts: object) -> Path:
    """Leave the claim of another writer; ``facts`` are of its process. Returns its file."""
    claim = writing._Claim(house.target, "prune")
    body = json.loads(claim._body) | facts
    claim._body = json.dumps(body).encode()
    await claim.put()
    return house.folder / claim.keys[0]


async def test_who_has_died_on_this_host_is_not_waited_for(house: House) -> None:
    child = await asyncio.create_subprocess_exec("sleep", "600")
    started = writing._start_of(child.pid)
    assert started is not None
    claim = await leave_a_claim(house, pid=child.pid, started=started)
    with pytest.raises(errors.TargetBusy, match=f"process {child.pid} on"):
        await house.back_up()
    child.kill()
    await child.wait()
    await house.back_up()
    assert not claim.exists()


async def test_who_has_died_elsewhere_is_waited_for_until_its_lease_ends(house: House) -> None:
    claim = await leave_a_claim(house, space="another container", pid=1, host="elsewhere")
    with pytest.raises(errors.TargetBusy, match=r"process 1 on elsewhere.* in 10 minutes"):
        await house.back_up()
    old = (clock.now() - writing.LEASE) / clock.SECOND - 1
    os.utime(claim, (old, old))
    await house.back_up()
    assert not claim.exists()


async def test_a_claim_is_renewed_once_at_a_time(house: House) -> None:
    """By the task that keeps it, and by whoever wants to be sure of it, at the same moment."""
    async with writing.writing(house.target, "backup") as right:
        (first,) = [info.key async for info in house.target.list(f"{writing.KIND}/")]
        await asyncio.gather(*(right.confirm() for _ in range(5)))
        (last,) = [info.key async for info in house.target.list(f"{writing.KIND}/")]
        assert first != last
    assert [info async for info in house.target.list(f"{writing.KIND}/")] == []


async def test_a_claim_that_was_taken_away_ends_the_backup(house: House) -> None:
    reading = house.store.stall("open")
    backup = asyncio.create_task(house.back_up())
    await asyncio.wait_for(reading.reached.wait(), 120)
    (claim,) = [info.key async for info in house.target.list(f"{writing.KIND}/")]
    await house.target.delete([claim])
    reading.go.set()
    with pytest.raises(errors.LeaseLost, match="right to write"):
        await backup
    assert await house.snapshots() == []


async def test_a_hold_is_taken_and_ended(house: House) -> None:
    database = house.service.runtime.parts.database
    reading = house.store.stall("open")
    backup = asyncio.create_task(house.back_up())
    await asyncio.wait_for(reading.reached.wait(), 120)
    assert await database.read(holds.last_end, clock.now()) is not None
    backup.cancel()
    await asyncio.wait([backup])
    assert await database.read(holds.last_end, clock.now()) is None
