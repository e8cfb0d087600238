"""The end of dumps: deleted, expired, or evicted for what public keys submit."""

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, delete, select

from app.bundles import removal as bundles
from app.dumps import submissions
from app.dumps.tables import dump_attachments, dump_modules, dumps
from app.links import rows as timelinks
from app.objects import removal


def remove_all(
    connection: Connection, account_id: int, object_ids: Mapping[int, int], now: int
) -> None:
    """Delete dumps of a locked account, given with their objects, and end their links."""
    ids = list(object_ids)
    submissions.release(connection, account_id, ids)
    timelinks.end(connection, "dump", ids, now)
    bundles.forget(connection, "dump", ids)
    belonging = dump_attachments.c.dump_id.in_(ids)
    attached: Sequence[int] = (
        connection.execute(select(dump_attachments.c.object_id).where(belonging)).scalars().all()
    )
    connection.execute(delete(dump_attachments).where(belonging))
    connection.execute(delete(dump_modules).where(dump_modules.c.dump_id.in_(ids)))
    connection.execute(delete(dumps).where(dumps.c.id.in_(ids)))
    removal.remove_all(connection, [*attached, *object_ids.values()], due_at=now)


def evict_submitted(
    connection: Connection, account_id: int, size: int, budget: int, now: int
) -> int:
    """Delete the oldest submitted dumps until ``size`` bytes more fit into the budget.

    Returns how many were deleted; raises `QuotaExceeded` if all would not be enough.
    """
    removed = 0
    for batch in submissions.oldest(connection, account_id, size, budget):
        remove_all(connection, account_id, batch, now)
        removed += len(batch)
    return removed
