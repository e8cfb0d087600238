"""What is in bundles, as their owners read it."""

from sqlalchemy import Connection

from app.accounts.identity import Identity
from app.bundles import rows
from app.bundles.entities import Member
from app.bundles.members import Members
from app.database.pagination import Page
from app.errors import NotFound


def find_member(
    connection: Connection, identity: Identity, members: Members, uuid: str, member: str, now: int
) -> Member:
    """Return a member of a bundle, ready to be read; raises `NotFound`.

    An API key needs the scope of what it points to.
    """
    current = rows.existing(connection, identity, uuid, now)
    one = found(members.find(connection, current.id, member, now))
    if one.target is not None:
        identity.require(members.targets.tables[one.kind].scope)
    return one


def page_of_members(
    connection: Connection,
    identity: Identity,
    members: Members,
    uuid: str,
    limit: int,
    cursor: str | None,
    now: int,
    *,
    name: str | None = None,
) -> Page[Member]:
    """Return a page of a bundle's members, in their order: all, or that of a name.

    Raises `NotFound`.
    """
    current = rows.existing(connection, identity, uuid, now)
    return members.page(connection, current.id, limit, cursor, now, name=name)


def found(member: Member | None) -> Member:
    """Return a member that is there; raises `NotFound` for None."""
    if member is None:
        raise unknown_member()
    return member


def unknown_member() -> NotFound:
    """Return the error for a member that isn't there."""
    return NotFound("No such member of the bundle")
