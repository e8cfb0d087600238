"""Expiry of files: their removal in batches."""

from sqlalchemy import Connection, delete, func, select

from app.accounts import quota
from app.files.tables import files
from app.objects import lifecycle as objects


def remove_expired(connection: Connection, now: int, batch: int) -> int:
    """Remove a batch of one account's expired files, whose links have ended as well."""
    expired = files.c.expires_at <= now
    account = connection.execute(
        select(files.c.account_id).where(expired).order_by(files.c.expires_at).limit(1)
    ).scalar()
    if account is None:
        return 0
    quota.lock_account(connection, account)
    rows = connection.execute(
        select(files.c.id, files.c.object_id)
        .where(expired, files.c.account_id == account)
        .limit(batch)
    ).all()
    connection.execute(delete(files).where(files.c.id.in_([row.id for row in rows])))
    objects.remove_all(connection, [row.object_id for row in rows], due_at=now)
    return len(rows)


def next_expiry(connection: Connection) -> int | None:
    """Return when the next file expires, in microseconds."""
    moment: int | None = connection.execute(select(func.min(files.c.expires_at))).scalar()
    return moment
