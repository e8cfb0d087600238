"""Bundles as the visitors of their links see them: found by the link, without a login."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace

from sqlalchemy import Connection, select

from app.archives.archive import Entry
from app.bundles.entities import Member, Shown
from app.bundles.members import Members
from app.bundles.reading import found
from app.bundles.rows import unknown
from app.bundles.tables import bundles
from app.database.pagination import Page
from app.errors import Forbidden, ServiceUnavailable
from app.links.entities import PublicLink, given
from app.objects.entities import Content


def find(
    connection: Connection,
    members: Members,
    link: PublicLink,
    limit: int,
    cursor: str | None,
    now: int,
) -> Shown:
    """Return the bundle of a link with a page of its members; raises `NotFound`."""
    bundle_id = link.target.id
    of_bundle = select(bundles.c.name, bundles.c.is_open)
    row = connection.execute(of_bundle.where(bundles.c.id == bundle_id)).first()
    if row is None:
        raise unknown()
    counts = members.count(connection, [bundle_id], now, only_shown=True)
    count, size = counts.get(bundle_id, (0, 0))
    page = members.page(connection, bundle_id, limit, cursor, now, only_shown=True)
    items = [replace(member, content=_listed(member, link)) for member in page.items]
    return Shown(row.name, bool(row.is_open), count, size, Page(items, page.next_cursor))


def find_member(
    connection: Connection, members: Members, bundle_id: int, name: str, now: int
) -> Member:
    """Return a member by its name, ready to be read; raises `NotFound`."""
    return found(members.find_shown(connection, bundle_id, name, now))


def content_of(member: Member, link: PublicLink) -> Content:
    """Return what a link gives of a member, as `given` does."""
    return given(member.content, member.bare, originals=link.originals)


def _listed(member: Member, link: PublicLink) -> Content:
    """Return the same to be listed, or where nothing is given, what there is."""
    with suppress(Forbidden, ServiceUnavailable):
        return content_of(member, link)
    return member.content


def entries(members: Iterable[Member], link: PublicLink) -> Iterator[Entry]:
    """Yield the members as an archive has them, without those of which the link gives nothing."""
    for member in members:
        try:
            yield Entry(member.name, content_of(member, link))
        except Forbidden:
            continue
