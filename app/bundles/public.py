"""Bundles as the visitors of their links see them: found by the link, without a login."""

from sqlalchemy import Connection, select

from app.bundles.entities import Member, Shown
from app.bundles.filling import unknown_member
from app.bundles.members import Members
from app.bundles.rows import unknown
from app.bundles.tables import bundles


def find(
    connection: Connection,
    members: Members,
    bundle_id: int,
    limit: int,
    cursor: str | None,
    now: int,
) -> Shown:
    """Return a bundle with a page of its members; raises `NotFound`."""
    of_bundle = select(bundles.c.name, bundles.c.is_open)
    row = connection.execute(of_bundle.where(bundles.c.id == bundle_id)).first()
    if row is None:
        raise unknown()
    counts = members.count(connection, [bundle_id], now, only_shown=True)
    count, size = counts.get(bundle_id, (0, 0))
    page = members.page(connection, bundle_id, limit, cursor, now, only_shown=True)
    return Shown(row.name, bool(row.is_open), count, size, page)


def find_member(
    connection: Connection, members: Members, bundle_id: int, name: str, now: int
) -> Member:
    """Return a member by its name, ready to be read; raises `NotFound`."""
    member = members.find_shown(connection, bundle_id, name, now)
    if member is None:
        raise unknown_member()
    return member
