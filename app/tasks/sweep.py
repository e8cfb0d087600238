"""Sweep: delete the bytes that tombstones name, and end the leases of uploads that died."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, delete, func, select, update

from app import clock
from app.accounts import quota
from app.database import Database, generations
from app.objects import lifecycle as objects
from app.objects.tables import objects as object_rows
from app.objects.tables import tombstones
from app.tasks.leases import ClockJumps
from app.tasks.supervisor import Task
from storage.base import ObjectStore
from storage.completion import run_to_end
from storage.errors import StorageError

BATCH: Final = 100  # what takes a few milliseconds: others wait for the loop, or the writer
CLAIM: Final = 5 * clock.MINUTE
"""How long other sweeps leave a claimed tombstone alone."""

MANY: Final = 10_000
"""What a backlog is counted up to."""


class Sweep(Task):
    """Reclaims what is due; a crash at any point leaves the rest for the next sweep."""

    name = "sweep"

    def __init__(self, database: Database, store: ObjectStore) -> None:
        super().__init__()
        self._database = database
        self._store = store
        self._jumps = ClockJumps()

    async def run_once(self, now: int) -> int:
        """Reclaim a batch; raises `OlderDatabase`, and the store's errors when it is through."""
        dead = 0 if self._jumps.left() else await self._database.write(end_dead_leases, now)
        # at a stop, too, what was claimed is finished: no other sweep takes it until the claim ends
        return dead + await run_to_end(self._reclaim(now))

    async def _reclaim(self, now: int) -> int:
        claimed = await self._database.write(claim, now)
        if claimed:
            await generations.require_current(self._database, self._store)
            await self._delete(claimed, now)
        return len(claimed)

    async def _delete(self, claimed: Sequence[tuple[int, str]], now: int) -> None:
        """Delete kind by kind: a disk that one of them has for itself may be gone."""
        kinds: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for id_, key in claimed:
            kinds[key.partition("/")[0]].append((id_, key))
        errors: list[StorageError] = []
        late = int(self._store.late * clock.SECOND)
        for kind in kinds.values():
            try:
                await self._store.delete([key for _, key in kind])
            except StorageError as error:
                errors.append(error)
            else:
                await self._database.write(forget, [id_ for id_, _ in kind], now, late)
        if errors:
            raise errors[0] if len(errors) == 1 else ExceptionGroup("several kinds", errors)

    async def next_due(self, now: int) -> int | None:
        return await self._database.read(next_due, now, now + self._jumps.left())

    async def backlog(self, now: int) -> int:
        """Return how many objects wait to be deleted though they are due; `MANY` at most."""
        return await self._database.read(backlog, now)


def end_dead_leases(connection: Connection, now: int) -> int:
    """Turn the pending objects of one account whose uploads died into tombstones."""
    dead = (object_rows.c.state == "pending") & (object_rows.c.lease_until <= now)
    account = connection.execute(select(object_rows.c.account_id).where(dead).limit(1)).scalar()
    if account is None:
        return 0
    quota.lock_account(connection, account)
    rows = connection.execute(
        select(object_rows.c.id).where(dead, object_rows.c.account_id == account).limit(BATCH)
    ).scalars()
    ids = list(rows)
    objects.remove_all(connection, ids, due_at=now)
    return len(ids)


def claim(connection: Connection, now: int) -> list[tuple[int, str]]:
    """Claim a batch of due tombstones; returns their ids and keys."""
    due = (
        select(tombstones.c.id)
        .where(tombstones.c.due_at <= now, tombstones.c.claimed_until <= now)
        .order_by(tombstones.c.due_at)
        .limit(BATCH)
        .with_for_update(skip_locked=True)
    )
    claimed = connection.execute(
        update(tombstones)
        .where(tombstones.c.id.in_(due))
        .values(claimed_until=now + CLAIM)
        .returning(tombstones.c.id, tombstones.c.key)
    )
    return [(row.id, row.key) for row in claimed]


def forget(connection: Connection, ids: Sequence[int], claimed_at: int, late: int) -> None:
    """Remove tombstones whose bytes are gone.

    One whose put may take effect as late as ``late`` after it had ended is due once more then. One
    that was buried anew since it was claimed stays due.
    """
    ours = tombstones.c.id.in_(ids) & (tombstones.c.claimed_until == claimed_at + CLAIM)
    again = tombstones.c.put_at + late
    connection.execute(
        update(tombstones).where(ours, again > claimed_at).values(due_at=again, claimed_until=0)
    )
    connection.execute(delete(tombstones).where(ours))


def next_due(connection: Connection, now: int, leases_from: int) -> int | None:
    """Return when the next tombstone is due, or a lease, none of which ends before a moment."""
    due = connection.execute(
        select(func.min(tombstones.c.due_at)).where(tombstones.c.claimed_until <= now)
    ).scalar()
    lease = connection.execute(select(func.min(object_rows.c.lease_until))).scalar()
    if lease is not None:
        lease = max(lease, leases_from)
    return min((moment for moment in (due, lease) if moment is not None), default=None)


def backlog(connection: Connection, now: int) -> int:
    """Count the tombstones that are due, up to `MANY`."""
    due = select(tombstones.c.id).where(tombstones.c.due_at <= now).limit(MANY).subquery()
    count: int = connection.execute(select(func.count()).select_from(due)).scalar_one()
    return count
