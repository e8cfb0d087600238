"""What administrators see of the whole service: what it keeps, and how late its tasks are."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select

from app import clock
from app.accounts import administration, bootstrap
from app.accounts.identity import Identity, identify
from app.accounts.registration import sign_up
from app.config import Settings
from app.database import Database
from app.objects import lifecycle as objects
from app.objects.entities import Received
from app.objects.storage_use import MAX_AGE, KindUse, StorageUses, count
from app.objects.tables import tombstones
from app.security.credentials import ServiceToken
from app.security.passwords import Passwords
from app.tasks import sweep
from app.tasks.expiry import Expiring, Expiry
from app.tasks.sweep import Sweep
from storage.local import LocalStore

pytestmark = pytest.mark.anyio

NOW = clock.now()


@pytest.fixture(autouse=True)
async def owner(database: Database, passwords: Passwords, tmp_path: Path) -> Identity:
    """The built-in account, which has no limits."""
    await bootstrap.prepare(database, passwords, Settings(data_dir=tmp_path, _env_file=None))
    return await database.read(identify, ServiceToken(), 0)


def keep(connection: Connection, owner: Identity, kind: str, size: int, *, free: bool) -> None:
    body = Received(size, bytes(32), None, bytes(size))
    objects.settle(connection, owner, body, kind=kind, slots=0 if free else 1, now=NOW, free=free)


async def test_all_that_is_kept_counts_by_kind(
    database: Database, owner: Identity, passwords: Passwords
) -> None:
    for kind, size in (("blobs", 10), ("blobs", 5), ("thumbs", 100)):
        await database.write(keep, owner, kind, size, free=kind == "thumbs")
    await database.write(  # an upload under way is not kept yet
        objects.reserve, owner, kind="dumps", key="dumps/a", size=7, slots=1, now=NOW
    )
    use = await database.read(count, NOW)
    assert use.kinds == [KindUse("thumbs", 1, 100), KindUse("blobs", 2, 15)]
    assert (use.objects, use.bytes, use.accounts, use.counted_at) == (3, 115, 1, NOW)

    account = await sign_up(
        database, passwords, username="ada", email=None, password="correct horse", tier="basic"
    )
    assert (await database.read(count, NOW)).accounts == 2
    await database.write(administration.delete, owner, account.uuid, NOW)
    assert (await database.read(count, NOW)).accounts == 1


async def test_nothing_is_kept_at_first(database: Database) -> None:
    use = await database.read(count, NOW)
    assert (list(use.kinds), use.objects, use.bytes) == ([], 0, 0)


async def test_figures_are_counted_once_in_a_while(database: Database, owner: Identity) -> None:
    uses = StorageUses(database)
    first, *others = await asyncio.gather(*(uses.latest(NOW) for _ in range(5)))
    assert all(other is first for other in others)
    await database.write(keep, owner, "blobs", 10, free=False)
    assert await uses.latest(NOW + MAX_AGE - 1) is first
    assert (await uses.latest(NOW + MAX_AGE)).bytes == 10


async def test_the_backlog_is_what_is_due(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bury(connection: Connection, due_at: int) -> None:
        keys = select(tombstones.c.id)
        number = len(connection.execute(keys).all())
        row = {"key": f"blobs/{number}", "due_at": due_at, "claimed_until": 0, "put_at": 0}
        connection.execute(insert(tombstones).values(row))

    store = LocalStore(tmp_path / "objects")
    task = Sweep(database, store)
    assert (await task.backlog(NOW), await task.lag(NOW)) == (0, 0)
    for due_at in (NOW + clock.MINUTE, NOW - 5 * clock.SECOND, NOW - 90 * clock.SECOND):
        await database.write(bury, due_at)
    assert (await task.backlog(NOW), await task.lag(NOW)) == (2, 90)
    monkeypatch.setattr(sweep, "MANY", 1)
    assert await task.backlog(NOW) == 1
    await store.aclose()


async def test_a_task_is_as_late_as_its_most_overdue_work(database: Database) -> None:
    def due(moment: int | None) -> Expiring:
        return Expiring(lambda *_: 0, lambda _: moment)

    late = Expiry(database, [due(NOW - 3 * clock.SECOND), due(None), due(NOW - 7 * clock.SECOND)])
    assert await late.lag(NOW) == 7
    assert await Expiry(database, [due(NOW + clock.MINUTE), due(None)]).lag(NOW) == 0
    assert await Expiry(database, [due(None)]).lag(NOW) == 0
