"""Verifying and pruning: every byte is looked at, and nothing that a snapshot names is deleted."""

import asyncio
from pathlib import Path

import pytest

from app.backup import pruning, snapshots
from app.backup.errors import BackupError, TargetBusy
from app.backup.manifest import DAMAGED, MISSING, Absent
from app.backup.verifying import Verification
from storage.errors import StoreUnavailable
from tests.app.backup.conftest import LARGE, House

pytestmark = pytest.mark.anyio


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


async def faults(house: House) -> list[Absent]:
    verification = Verification(house.target)
    await verification.run(await house.snapshots())
    return verification.faults


async def test_each_object_is_read_once(house: House) -> None:
    for _ in range(3):
        made = await house.back_up()
    verification = Verification(house.target)
    await verification.run(await house.snapshots())
    assert verification.faults == []
    own = len(made.snapshot.manifest.tables) + 1
    assert verification.objects == 3 * own + 1


async def test_whatever_is_damaged_or_missing_is_found(house: House) -> None:
    made = await house.back_up()
    manifest = made.snapshot.manifest
    own = [*(table.stored.key for table in manifest.tables), manifest.objects.stored.key]
    for key in [*own, *await house.objects()]:
        path = house.folder / key
        whole = path.read_bytes()
        flip(path)
        assert await faults(house) == [Absent(key, DAMAGED)]
        path.write_bytes(whole[:-1])
        assert await faults(house) == [Absent(key, DAMAGED)]
        path.unlink()
        assert await faults(house) == [Absent(key, MISSING)]
        path.write_bytes(whole)
    assert await faults(house) == []


async def test_a_damaged_manifest_is_told(house: House) -> None:
    made = await house.back_up()
    path = house.folder / made.snapshot.key
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"holdall", b"nothold").replace(b'"rows": 2', b'"rows": 3'))
    assert path.read_bytes() != whole
    with pytest.raises(BackupError, match=f"the manifest {made.snapshot.key} is damaged"):
        await house.snapshots()
    path.write_bytes(whole[:-9])
    with pytest.raises(BackupError, match=f"the manifest {made.snapshot.key} is no manifest"):
        await house.snapshots()


async def test_what_the_source_lacked_is_no_fault_of_the_target(house: House) -> None:
    for path in house.service.settings.objects_path.glob("blobs/?/?/*"):
        path.unlink()
    made = await house.back_up()
    assert len(made.snapshot.manifest.absent) == 1
    assert await faults(house) == []


async def test_pruning_keeps_the_newest_and_all_that_they_name(house: House) -> None:
    await house.back_up()
    await house.put("large", LARGE[::-1])
    await house.back_up()
    await house.put("more", LARGE * 2)
    third = await house.back_up()
    pruned = await pruning.prune(house.target, 2)
    assert (pruned.removed, pruned.left) == (1, 2)
    assert len(await house.objects()) == 2
    assert await faults(house) == []
    pruned = await pruning.prune(house.target, 1)
    assert [snapshot.key for snapshot in await house.snapshots()] == [third.snapshot.key]
    assert await faults(house) == []
    stored = [info.key async for info in house.target.list()]
    own = len(third.snapshot.manifest.tables) + 1
    assert len(stored) == own + 2 + 1, "rows and list, objects, manifest"


async def test_pruning_clears_away_what_a_failed_backup_has_left(house: House) -> None:
    await house.back_up()
    before = {info.key async for info in house.target.list()}
    await house.put("other", LARGE[::-1])
    house.store.fail("open")
    with pytest.raises(StoreUnavailable):
        await house.back_up()
    assert {info.key async for info in house.target.list()} > before
    assert (await pruning.prune(house.target, 7)).removed == 0
    assert {info.key async for info in house.target.list()} == before


async def test_no_prune_runs_beside_a_backup(house: House) -> None:
    await house.back_up()
    reading = house.store.stall("open")
    await house.put("other", LARGE[::-1])
    backup = asyncio.create_task(house.back_up())
    await asyncio.wait_for(reading.reached.wait(), 120)
    with pytest.raises(TargetBusy):
        await pruning.prune(house.target, 1)
    reading.go.set()
    await backup
    assert len(await house.snapshots()) == 2


async def test_a_damaged_snapshot_stops_the_pruning(house: House) -> None:
    """What it names is not known, so anything may be."""
    made = await house.back_up()
    second = await house.back_up()
    (house.folder / second.snapshot.manifest.objects.stored.key).write_bytes(b"damaged")
    with pytest.raises(BackupError, match="is damaged in the target"):
        await pruning.prune(house.target, 2)
    (house.folder / made.snapshot.key).write_bytes(b"damaged")
    with pytest.raises(BackupError, match="is no manifest"):
        await pruning.prune(house.target, 1)
    assert len(await house.objects()) == 1
    assert len(await snapshots.keys_of(house.target)) == 2
