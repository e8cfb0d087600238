"""Holds: while one is live, the sweep deletes no bytes.

What a hold's owner has read from the database stays in the store, whatever is replaced or deleted
meanwhile: tombstones wait. A hold is a lease, so that one whose owner has died ends by itself. One
that strangers cause keeps no tombstone longer than some time after it is due.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

from sqlalchemy import ColumnElement, Connection, Exists, delete, func, insert, or_, select, update

from app import clock
from app.database import Database, DatabaseUnavailable, Patience
from app.leases import Lease, Lost, kept
from app.objects.tables import holds
from storage.completion import run_to_end

LEASE: Final = 5 * clock.MINUTE
"""How long a hold lives unless its owner renews it."""


def take(connection: Connection, now: int, keeps_for: int | None = None) -> int:
    """Take a hold; returns its id. Whatever is read from after its commit on, is held.

    ``keeps_for`` is how long a tombstone waits for it after it is due; None: as long as it lives.
    """
    connection.execute(delete(holds).where(holds.c.expires_at <= now))
    taken = insert(holds).values(expires_at=now + LEASE, keeps_for=keeps_for).returning(holds.c.id)
    return int(connection.execute(taken).scalar_one())


def renew(connection: Connection, hold_id: int, now: int) -> bool:
    """Renew a hold; returns whether it has been live all the time."""
    live = (holds.c.id == hold_id) & (holds.c.expires_at > now)
    renewed = update(holds).where(live).values(expires_at=now + LEASE)
    return connection.execute(renewed).rowcount == 1


def end(connection: Connection, hold_id: int) -> None:
    """End a hold."""
    connection.execute(delete(holds).where(holds.c.id == hold_id))


def are_keeping(due_at: ColumnElement[int], now: int) -> Exists:
    """Return the condition that a live hold keeps a tombstone, which is due at a moment.

    It must be part of the statement that claims what is to be deleted: between two statements, a
    hold can be taken, and something be buried that it is to keep.
    """
    is_kept = or_(holds.c.keeps_for.is_(None), due_at + holds.c.keeps_for > now)
    return select(holds.c.id).where(holds.c.expires_at > now, is_kept).exists()


def last_end(connection: Connection, now: int) -> int | None:
    """Return when the last of the live holds ends unless it is renewed; None: there is none."""
    ends: int | None = connection.execute(
        select(func.max(holds.c.expires_at)).where(holds.c.expires_at > now)
    ).scalar()
    return ends


@asynccontextmanager
async def holding(
    database: Database, keeps_for: int | None = None, *, lost: Lost = TimeoutError
) -> AsyncIterator[Lease]:
    """Hold what is read from the database within the context, as long as that lasts."""
    hold = await database.write(take, clock.now(), keeps_for)

    async def renewed() -> bool:
        with Patience():
            return await database.write(renew, hold, clock.now())

    try:
        async with kept(renewed, seconds=LEASE / clock.SECOND, lost=lost) as lease:
            yield lease
    finally:
        with Patience(), suppress(DatabaseUnavailable):  # else it ends by itself
            await run_to_end(database.write(end, hold))
