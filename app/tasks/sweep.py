"""Sweep: deletes the bytes of tombstones, and ends the leases of dead uploads."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, delete, func, select, update

from app import clock
from app.accounts import quota
from app.database import Database, generations
from app.objects import holds, removal
from app.objects.tables import objects as object_rows
from app.objects.tables import tombstones
from app.tasks.leases import ClockJumps
from app.tasks.supervisor import Task
from storage.base import ObjectStore
from storage.completion import run_to_end
from storage.errors import StorageError

BATCH: Final = 100  # takes a few milliseconds, for which others wait
CLAIM: Final = 5 * clock.MINUTE
"""How long a tombstone is claimed for one sweep."""

MANY: Final = 10_000
"""Where counting of a backlog stops."""


class Sweep(Task):
    """Reclaims what is due; after a crash the next sweep goes on."""

    name = "sweep"

    def __init__(self, database: Database, store: ObjectStore, *, moving: bool = False) -> None:
        """``moving``: anything that is there may just be copied to another store."""
        super().__init__()
        self._database = database
        self._store = store
        self._moving = moving
        self._jumps = ClockJumps()

    async def run_once(self, now: int) -> int:
        """Reclaim a batch; raises `OlderDatabase`, and at the end the store's errors."""
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
        """Delete kind by kind: one kind may have a disk of its own, which may be gone."""
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
                ids = [id_ for id_, _ in kind]
                await self._database.write(forget, ids, now, late, moving=self._moving)
        if errors:
            raise errors[0] if len(errors) == 1 else ExceptionGroup("several kinds", errors)

    async def next_due(self, now: int) -> int | None:
        return await self._database.read(next_due, now, now + self._jumps.left())

    async def backlog(self, now: int) -> int:
        """Return how many objects are due to be deleted, up to `MANY`."""
        return await self._database.read(backlog, now)


def end_dead_leases(connection: Connection, now: int) -> int:
    """Turn pending objects of one account whose leases have ended into tombstones."""
    dead = (object_rows.c.state == "pending") & (object_rows.c.lease_until <= now)
    account = connection.execute(select(object_rows.c.account_id).where(dead).limit(1)).scalar()
    if account is None:
        return 0
    quota.lock_account(connection, account)
    rows = connection.execute(
        select(object_rows.c.id).where(dead, object_rows.c.account_id == account).limit(BATCH)
    ).scalars()
    ids = list(rows)
    removal.remove_all(connection, ids, due_at=now)
    return len(ids)


def claim(connection: Connection, now: int) -> list[tuple[int, str]]:
    """Claim a batch of due tombstones that no hold keeps; returns their ids and keys."""
    due = (
        select(tombstones.c.id)
        .where(tombstones.c.due_at <= now, tombstones.c.claimed_until <= now)
        .where(~holds.are_keeping(tombstones.c.due_at, now))
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


def forget(
    connection: Connection, ids: Sequence[int], claimed_at: int, late: int, *, moving: bool = False
) -> None:
    """Remove tombstones whose bytes are gone.

    A put may take effect ``late`` microseconds after it has ended, so a tombstone is due once more
    then. While objects move, any may be put again until it is deleted, so each is. One that was
    renewed since it was claimed stays due.
    """
    ours = tombstones.c.id.in_(ids) & (tombstones.c.claimed_until == claimed_at + CLAIM)
    if moving:
        first = ours & (tombstones.c.due_at != tombstones.c.put_at + late)
        connection.execute(update(tombstones).where(first).values(put_at=claimed_at))
    again = tombstones.c.put_at + late
    connection.execute(
        update(tombstones).where(ours, again > claimed_at).values(due_at=again, claimed_until=0)
    )
    connection.execute(delete(tombstones).where(ours))


def next_due(connection: Connection, now: int, leases_from: int) -> int | None:
    """Return when the next tombstone is due, or the next lease ends: not before ``leases_from``."""
    due = connection.execute(
        select(func.min(tombstones.c.due_at)).where(tombstones.c.claimed_until <= now)
    ).scalar()
    held_until = holds.last_end(connection, now)
    if due is not None and held_until is not None:
        due = max(due, held_until)
    lease = connection.execute(select(func.min(object_rows.c.lease_until))).scalar()
    if lease is not None:
        lease = max(lease, leases_from)
    return min((moment for moment in (due, lease) if moment is not None), default=None)


def backlog(connection: Connection, now: int) -> int:
    """Count the tombstones that are due, up to `MANY`."""
    due = select(tombstones.c.id).where(tombstones.c.due_at <= now).limit(MANY).subquery()
    count: int = connection.execute(select(func.count()).select_from(due)).scalar_one()
    return count
