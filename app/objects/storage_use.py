"""Storage use: how much the service keeps, by kind of object.

Counting reads every object's row, which takes a quarter of a second for a million, so that the
figures are cached.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, func, select

from app import clock
from app.accounts.tables import accounts
from app.database import Database
from app.objects.tables import objects as object_rows

MAX_AGE: Final = 5 * clock.MINUTE
"""How old figures may be."""


@dataclass(frozen=True, slots=True)
class KindUse:
    """The number and the bytes of one kind of objects."""

    kind: str
    objects: int
    bytes: int


@dataclass(frozen=True, slots=True)
class StorageUse:
    """The storage use at ``counted_at`` (UTC microseconds)."""

    kinds: Sequence[KindUse]
    accounts: int
    counted_at: int

    @property
    def objects(self) -> int:
        """The number of all objects."""
        return sum(use.objects for use in self.kinds)

    @property
    def bytes(self) -> int:
        """The bytes of all objects."""
        return sum(use.bytes for use in self.kinds)


class StorageUses:
    """Counts on demand, at most once in `MAX_AGE`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = asyncio.Lock()
        self._last: StorageUse | None = None

    async def latest(self, now: int) -> StorageUse:
        """Return figures no older than `MAX_AGE`; concurrent callers share one count."""
        async with self._lock:
            if self._last is None or now - self._last.counted_at >= MAX_AGE:
                self._last = await self._database.read_long(count, now)
            return self._last


def count(connection: Connection, now: int) -> StorageUse:
    """Count the objects that are ready, including those that nobody is charged for."""
    size, number = func.sum(object_rows.c.size), func.count()
    rows = connection.execute(
        select(object_rows.c.kind, number, size)
        .where(object_rows.c.state == "ready")
        .group_by(object_rows.c.kind)
        .order_by(size.desc())
    )
    kinds = [KindUse(kind, objects, int(total)) for kind, objects, total in rows]
    there = select(func.count()).select_from(accounts).where(accounts.c.deleted_at.is_(None))
    return StorageUse(kinds, connection.execute(there).scalar_one(), now)
