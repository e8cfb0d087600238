"""The end of bundles: deleted, evicted or expired, with all that they own."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, delete, select

from app.accounts import quota
from app.bundles.tables import bundle_members, bundles
from app.links import rows as links
from app.objects import removal

_BATCH: Final = 500


def remove(connection: Connection, bundle_id: int, now: int) -> None:
    """Delete a bundle of a locked account whole, and end its links; its bytes are due at once."""
    while _remove_members(connection, bundle_id, _BATCH, now):
        pass
    _remove_empty(connection, bundle_id, now)


def remove_expired(connection: Connection, now: int, batch: int) -> int:
    """Remove a batch of members of an expired bundle, or the bundle when none is left."""
    expired = (
        select(bundles.c.id, bundles.c.account_id)
        .where(bundles.c.expires_at <= now)
        .order_by(bundles.c.expires_at)
        .limit(1)
    )
    row = connection.execute(expired).first()
    if row is None:
        return 0
    quota.lock_account(connection, row.account_id)
    removed = _remove_members(connection, row.id, batch, now)
    if removed == 0:
        _remove_empty(connection, row.id, now)
    return removed or 1


def remove_member(connection: Connection, member_id: int, object_id: int | None, now: int) -> None:
    """Take a member out of its bundle, which loses its bytes if the bundle owns it."""
    connection.execute(delete(bundle_members).where(bundle_members.c.id == member_id))
    if object_id is not None:
        removal.remove(connection, object_id, due_at=now)


def forget(connection: Connection, kind: str, target_ids: Sequence[int]) -> None:
    """Take things that are being removed out of the bundles that point to them."""
    connection.execute(
        delete(bundle_members).where(
            bundle_members.c.kind == kind, bundle_members.c.target_id.in_(target_ids)
        )
    )


def _remove_members(connection: Connection, bundle_id: int, batch: int, now: int) -> int:
    rows = connection.execute(
        select(bundle_members.c.id, bundle_members.c.object_id)
        .where(bundle_members.c.bundle_id == bundle_id)
        .limit(batch)
    ).all()
    if rows:
        ids = [row.id for row in rows]
        connection.execute(delete(bundle_members).where(bundle_members.c.id.in_(ids)))
        owned = [row.object_id for row in rows if row.object_id is not None]
        removal.remove_all(connection, owned, due_at=now)
    return len(rows)


def _remove_empty(connection: Connection, bundle_id: int, now: int) -> None:
    links.end(connection, "bundle", [bundle_id], now)
    connection.execute(delete(bundles).where(bundles.c.id == bundle_id))
