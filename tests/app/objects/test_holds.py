"""Holds: what is buried while one is live stays in the store until it ends."""

from pathlib import Path

import pytest

from app import clock
from app.database import Database, instance
from app.objects import holds, removal
from app.tasks.sweep import Sweep
from storage.base import new_key
from storage.local import LocalStore

pytestmark = pytest.mark.anyio

NOW = clock.now()
LEASE = holds.LEASE


@pytest.fixture
async def sweep(database: Database, tmp_path: Path) -> Sweep:
    """A sweep that has one object to delete, at once."""
    await database.write(instance.identify, "an-id")
    await database.write(lambda c: removal.bury(c, new_key("blobs"), due_at=NOW, put_at=NOW))
    return Sweep(database, LocalStore(tmp_path / "objects"))


async def test_nothing_is_deleted_until_the_last_hold_ends(
    database: Database, sweep: Sweep
) -> None:
    first = await database.write(holds.take, NOW)
    second = await database.write(holds.take, NOW + 1)
    assert await sweep.run_once(NOW + 2) == 0
    await database.write(holds.end, first)
    assert await sweep.run_once(NOW + 3) == 0
    await database.write(holds.end, second)
    assert await sweep.run_once(NOW + 4) == 1


async def test_the_hold_of_one_who_died_ends_by_itself(database: Database, sweep: Sweep) -> None:
    await database.write(holds.take, NOW)
    assert await sweep.run_once(NOW + LEASE - 1) == 0
    assert await sweep.run_once(NOW + LEASE) == 1


async def test_a_hold_lives_as_long_as_it_is_renewed_in_time(
    database: Database, sweep: Sweep
) -> None:
    hold = await database.write(holds.take, NOW)
    assert await database.write(holds.renew, hold, NOW + LEASE - 1)
    assert await sweep.run_once(NOW + LEASE) == 0
    assert not await database.write(holds.renew, hold, NOW + 2 * LEASE)
    assert await sweep.run_once(NOW + 2 * LEASE) == 1


async def test_a_sweep_that_is_held_up_waits_and_is_not_late(
    database: Database, sweep: Sweep
) -> None:
    """Else it would ask the database ten times a second for as long as a backup takes."""
    await database.write(holds.take, NOW)
    assert await sweep.next_due(NOW) == NOW + LEASE
    assert await sweep.lag(NOW + 1) == 0


async def test_holds_that_have_ended_are_forgotten(database: Database) -> None:
    for moment in (NOW, NOW + LEASE - 1, NOW + LEASE):
        await database.write(holds.take, moment)
    count = "SELECT count(*) FROM holds"
    assert await database.read(lambda c: c.exec_driver_sql(count).scalar_one()) == 2
