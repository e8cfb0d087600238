"""Links whose targets go with the last download: a file that is sent for a number of them.

A download has ended when all bytes have been sent under its lease. One that broke off may go on for
`PATIENCE` after it was last seen; then it counts as ended, so that nothing waits for it for good.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, func, select, update

from app import clock
from app.accounts import quota
from app.links import spans
from app.links.entities import PublicLink
from app.links.spans import Span
from app.links.tables import timelink_leases, timelinks
from app.links.targets import Targets, TargetTable, TargetType
from app.links.tokens import hash_of

PATIENCE: Final = 24 * 3600 * clock.SECOND
"""How long a download that broke off may wait to be gone on with."""


def note_response(
    connection: Connection,
    targets: Targets,
    link: PublicLink,
    lease: str,
    asked: Span,
    sent: int,
    size: int | None,
    now: int,
) -> bool:
    """Note a response to a lease that has ended, with the bytes that it brought.

    ``size`` is that of all that was claimed; None: the response was for something within that.

    If the last download has ended with it, the link's target is removed. Returns whether it was.
    """
    quota.lock_account(connection, link.account_id)  # who removes a target does so first
    used_up = timelinks.c.downloads >= timelinks.c.max_downloads
    current = connection.execute(
        select(used_up.label("is_used_up")).where(timelinks.c.id == link.id).with_for_update()
    ).one()
    if not _note(connection, lease, asked, sent, size, now) or not current.is_used_up:
        return False
    due = _removal_of(connection, link, now)
    if due <= now:
        remove_target(connection, targets.tables, link.target_type, link.target.id, now)
    later = None if due <= now else due
    connection.execute(update(timelinks).where(timelinks.c.id == link.id).values(removal_at=later))
    return later is None


def _note(
    connection: Connection, lease: str, asked: Span, sent: int, size: int | None, now: int
) -> bool:
    """Note what a response brought; returns whether the lease was still good."""
    own = timelink_leases.c.hash == hash_of(lease)
    held = connection.execute(select(timelink_leases).where(own)).first()
    if held is None:
        return False
    columns: dict[str, Any] = {"seen_at": now}
    if size is not None:
        brought = spans.from_json(held.spans).after(asked, sent)
        columns["spans"] = spans.to_json(brought)
        if held.completed_at is not None or brought.is_all_of(size):
            columns["completed_at"] = now
    connection.execute(update(timelink_leases).where(own).values(columns))
    return True


def _removal_of(connection: Connection, link: PublicLink, now: int) -> int:
    """Return when the target of a link goes that has been used up."""
    last_seen: int | None = connection.execute(
        select(func.max(timelink_leases.c.seen_at)).where(
            timelink_leases.c.timelink_id == link.id,
            timelink_leases.c.expires_at.is_(None),
            timelink_leases.c.completed_at.is_(None),
        )
    ).scalar()
    return now if last_seen is None else last_seen + PATIENCE


def remove_target(
    connection: Connection,
    tables: Mapping[TargetType, TargetTable],
    target_type: TargetType,
    target_id: int,
    now: int,
) -> None:
    """Remove a target of a locked account, if it is still there."""
    remove = tables[target_type].remove
    assert remove is not None
    remove(connection, target_id, now)


def remover(
    tables: Mapping[TargetType, TargetTable],
) -> Callable[[Connection, int, int], int]:
    """Return what removes a batch of targets, of one account, whose last downloads have ended."""

    def remove(connection: Connection, now: int, batch: int) -> int:
        is_due = timelinks.c.removal_at <= now
        account = connection.execute(
            select(timelinks.c.account_id).where(is_due).order_by(timelinks.c.removal_at).limit(1)
        ).scalar()
        if account is None:
            return 0
        quota.lock_account(connection, account)
        links = connection.execute(
            select(timelinks.c.id, timelinks.c.kind, timelinks.c.target_id)
            .where(is_due, timelinks.c.account_id == account)
            .limit(batch)
        ).all()
        for link in links:
            remove_target(connection, tables, link.kind, link.target_id, now)
        ids = [link.id for link in links]
        connection.execute(update(timelinks).where(timelinks.c.id.in_(ids)).values(removal_at=None))
        return len(links)

    return remove


def next_removal(connection: Connection) -> int | None:
    """Return when the next target goes, in microseconds."""
    moment: int | None = connection.execute(
        select(func.min(timelinks.c.removal_at)).where(timelinks.c.removal_at.is_not(None))
    ).scalar()
    return moment
