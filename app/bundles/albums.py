"""Albums as rows: bundles that point to pictures, and to nothing else."""

from collections.abc import Sequence

from sqlalchemy import Connection, and_, exists, select

from app.accounts.identity import Identity
from app.bundles import filling, listing, rows
from app.bundles.entities import PICTURE, Album
from app.bundles.members import Members
from app.bundles.tables import bundle_members, bundles
from app.database.pagination import Page

_of_bundle = bundle_members.c.bundle_id == bundles.c.id
_is_picture = bundle_members.c.kind == PICTURE
_is_album = and_(
    exists(select(bundle_members.c.id).where(_of_bundle, _is_picture)),
    ~exists(select(bundle_members.c.id).where(_of_bundle, ~_is_picture)),
)
_page = listing.newest(_is_album)


def page(
    connection: Connection,
    identity: Identity,
    members: Members,
    limit: int,
    cursor: str | None,
    now: int,
) -> Page[Album]:
    """Return a page of the account's albums, newest first, each with its first picture."""
    found = listing.page_of_newest(_page, connection, identity, members, limit, cursor, now)
    covers = members.first_targets(connection, [bundle.id for bundle in found.items], now)
    albums = [Album(bundle, covers.get(bundle.id)) for bundle in found.items]
    return Page(albums, found.next_cursor)


def add(
    connection: Connection,
    identity: Identity,
    members: Members,
    uuid: str,
    pictures: Sequence[str],
    now: int,
) -> None:
    """Add pictures that aren't in a bundle yet, all or none, though it takes nothing from others.

    Raises `NotFound`, `BundleClosed` if it is full, and `Forbidden` where no link to pictures is
    allowed.
    """
    current = rows.locked(connection, identity, uuid, now)
    there = {member.target for member in members.all(connection, current.id, now)}
    wanted = [picture for picture in dict.fromkeys(pictures) if picture not in there]
    filling.point_all(connection, identity, members, current.id, PICTURE, wanted, now)


def take_out(
    connection: Connection, identity: Identity, uuid: str, members: Sequence[str], now: int
) -> None:
    """Take members out of a bundle; those that are gone already are no error. Raises `NotFound`."""
    current = rows.locked(connection, identity, uuid, now)
    filling.remove_members(connection, current.id, members, now)
