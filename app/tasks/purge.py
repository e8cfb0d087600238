"""Purge: removes all that deleted accounts had, in batches, and at last the accounts."""

from collections.abc import Callable, Sequence
from typing import Final

import structlog
from sqlalchemy import Connection, Table, delete, select
from sqlalchemy.exc import IntegrityError

from app.accounts.tables import accounts
from app.database import Database
from app.objects import removal
from app.objects.tables import objects as object_rows
from app.tasks.supervisor import Task

log = structlog.get_logger(__name__)

BATCH: Final = 200


class Purge(Task):
    """Removes deleted accounts; each process works on another one."""

    name = "purge"

    def __init__(
        self, database: Database, tables: Sequence[Table], *, wake_sweep: Callable[[], None]
    ) -> None:
        """``tables`` have rows of accounts, which may own an object (``object_id``).

        A table that refers to another comes before it.
        """
        super().__init__()
        self._database = database
        self._tables = tables
        self._wake_sweep = wake_sweep

    async def run_once(self, now: int) -> int:
        """Remove one batch of rows; returns their number."""
        try:
            removed = await self._database.write(purge, self._tables, now)
        except IntegrityError:
            # a request that began before the deletion has just added a row: it goes next time
            log.info("a deleted account is still being written to")
            return 0
        if removed:
            self._wake_sweep()
        return removed


def purge(connection: Connection, tables: Sequence[Table], now: int) -> int:
    """Remove a batch of what the first deleted account still has, or the account itself."""
    deleted = (
        select(accounts.c.id)
        .where(accounts.c.deleted_at <= now)
        .order_by(accounts.c.deleted_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    account_id: int | None = connection.execute(deleted).scalar()
    if account_id is None:
        return 0
    for table in (*tables, object_rows):
        removed = _remove_batch(connection, table, account_id, now)
        if removed:
            return removed
    connection.execute(delete(accounts).where(accounts.c.id == account_id))
    return 1


def _remove_batch(connection: Connection, table: Table, account_id: int, now: int) -> int:
    # of objects, those still there belong to no resource: uploads under way
    object_id = table.c.id if table is object_rows else table.c.get("object_id")
    columns = [table.c.id] if object_id is None else [table.c.id, object_id.label("object_id")]
    rows = connection.execute(
        select(*columns).where(table.c.account_id == account_id).limit(BATCH)
    ).all()
    if table is not object_rows:
        connection.execute(delete(table).where(table.c.id.in_([row.id for row in rows])))
    if object_id is not None:
        ids = [row.object_id for row in rows if row.object_id is not None]
        removal.remove_all(connection, ids, due_at=now)
    return len(rows)
