"""The end of timelinks: which are still valid, and the removal of those that ended long ago."""

from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    case,
    func,
    or_,
    select,
)
from sqlalchemy import delete as delete_from

from app import clock
from app.links.tables import timelink_leases, timelinks

KEPT: Final = 30 * 86_400 * clock.SECOND
"""How long a link that has ended stays in its owner's list."""


def downloads_taken(now: ColumnElement[Any] | int) -> ColumnElement[int]:
    """Count a link's downloads: those that have begun, and claims that may still become one."""
    claims = (
        select(func.count())
        .select_from(timelink_leases)
        .where(timelink_leases.c.timelink_id == timelinks.c.id, timelink_leases.c.expires_at > now)
        .correlate(timelinks)
        .scalar_subquery()
    )
    is_counted = timelinks.c.max_downloads.is_not(None)
    return case((is_counted, timelinks.c.downloads + claims), else_=timelinks.c.downloads)


def has_downloads_left(now: ColumnElement[Any] | int) -> ColumnElement[bool]:
    """Say which links have not been used up."""
    is_counted = timelinks.c.max_downloads.is_not(None)
    return or_(~is_counted, downloads_taken(now) < timelinks.c.max_downloads)


def is_later(moment: ColumnElement[Any], now: ColumnElement[Any] | int) -> ColumnElement[bool]:
    return or_(moment.is_(None), moment > now)


def is_open(now: ColumnElement[Any] | int) -> ColumnElement[bool]:
    """Say which links are neither revoked nor expired."""
    return and_(timelinks.c.revoked_at.is_(None), is_later(timelinks.c.expires_at, now))


def remove_ended(connection: Connection, now: int, batch: int) -> int:
    """Remove a batch of links that ended `KEPT` ago, and their leases."""
    due = (
        select(timelinks.c.id)
        .where(timelinks.c.expires_at <= now - KEPT)
        .order_by(timelinks.c.expires_at)
        .limit(batch)
        .with_for_update(skip_locked=True)
    )
    ids = connection.execute(due).scalars().all()
    if ids:
        connection.execute(
            delete_from(timelink_leases).where(timelink_leases.c.timelink_id.in_(ids))
        )
        connection.execute(delete_from(timelinks).where(timelinks.c.id.in_(ids)))
    return len(ids)


def next_removal(connection: Connection) -> int | None:
    """Return when `remove_ended` will have something to do, in microseconds."""
    moment: int | None = connection.execute(select(func.min(timelinks.c.expires_at))).scalar()
    return None if moment is None else moment + KEPT
