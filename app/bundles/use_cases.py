"""Bundles: what an account may do with them."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol

from sqlalchemy import Connection

from app import clock
from app.accounts.identity import Access
from app.archives.archive import Archive
from app.archives.use_cases import lay_out
from app.bundles import albums, filling, listing, public, reading, rows
from app.bundles.entities import (
    ALL,
    MAX_MEMBERS,
    OBJECTS,
    Album,
    Bundle,
    Member,
    NewBundle,
    NewMember,
    Shown,
    Wanted,
)
from app.bundles.members import Members
from app.config import Settings
from app.database import Database
from app.database.pagination import Page
from app.errors import BundleClosed
from app.links.entities import PublicLink
from app.links.use_cases import Links
from app.objects import media_types
from app.objects.entities import Received
from app.objects.uploads import Admit, Body, Describe, Uploads


class Evict(Protocol):
    """Evicts what expires for one more, so that at most ``max_files`` do; returns how many."""

    def __call__(
        self,
        connection: Connection,
        account_id: int,
        *,
        spared: str,
        evict: str,
        max_files: int,
        now: int,
    ) -> int: ...


class Bundles:
    """Makes, fills, lists, changes and deletes the bundles of an account."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        uploads: Uploads,
        links: Links,
        members: Members,
        *,
        evict: Evict,
        wake_expiry: Callable[[int], None],
        wake_sweep: Callable[[], None],
    ) -> None:
        """``evict`` makes room where `MAX_FILES` expire."""
        self._usual_lifetime = settings.expire_time
        self._max_files = settings.max_files
        self._database = database
        self._uploads = uploads
        self._members = members
        self._links = links
        self._evict = evict
        self._wake_expiry = wake_expiry
        self._wake_sweep = wake_sweep

    async def create(self, access: Access, new: NewBundle) -> Bundle:
        """Make a bundle without members.

        Raises `TooManyFiles`, and `InvalidRequest` for what the tier doesn't allow.
        """
        return await self._create(access, new, is_open=True)

    async def create_of(
        self, access: Access, new: NewBundle, arrived: Sequence[tuple[NewMember, Received]]
    ) -> Bundle:
        """Make a closed bundle of bodies that have arrived, all or nothing."""
        sent = [(_typed(member), received) for member, received in arrived]
        return await self._create(access, new, sent=sent, is_open=False)

    async def create_of_things(
        self, access: Access, new: NewBundle, things: Sequence[tuple[str, str]]
    ) -> Bundle:
        """Make a closed bundle that points to things, given by their types and ids; or none.

        Raises as `create` and `point` do.
        """
        if len(things) > MAX_MEMBERS:
            raise BundleClosed(f"A bundle may have up to {MAX_MEMBERS} members")
        return await self._create(access, new, things=things, is_open=False)

    @property
    def admit_member(self) -> Admit:
        """What says whether one more file may be sent for `create_of`."""
        return filling.admit_new

    async def find(self, access: Access, uuid: str) -> Bundle:
        """Return a bundle; raises `NotFound`."""
        return await access.read(rows.find, self._members, uuid, clock.now())

    async def page(
        self, access: Access, limit: int, cursor: str | None, wanted: Wanted = ALL
    ) -> Page[Bundle]:
        """Return a page of bundles: all, newest first, or those that are wanted."""
        return await access.read(listing.page, self._members, wanted, limit, cursor, clock.now())

    async def hash_password(self, access: Access, password: str | None) -> str | None:
        """Return the form in which the password of a new bundle's link is kept; None for none."""
        return await self._links.hash_password(access, password)

    async def change(self, access: Access, uuid: str, facts: Mapping[str, Any]) -> Bundle:
        """Change a bundle: its ``name``, ``is_open``, how many seconds it lives (``expires_in``).

        And its link: ``max_downloads``, ``password``, ``note``, each None for none. Raises
        `NotFound` and `InvalidRequest`.
        """
        columns = await self._links.hashed(access, facts)
        link, now = self._links.new_own_link(), clock.now()
        bundle, evicted = await access.write(
            rows.change, self._members, uuid, columns, link, self._make_room(now), now
        )
        self._wake_tasks(bundle, evicted)
        return bundle

    async def remove(self, access: Access, uuid: str) -> None:
        """Delete a bundle with the files that it owns, and end its links; raises `NotFound`."""
        await access.write(rows.remove, uuid, clock.now())
        self._wake_sweep()

    # Members

    def admission(self, uuid: str) -> Admit:
        """Return what says whether a file may be added."""
        return partial(filling.admit, uuid=uuid, now=clock.now())

    async def add(
        self,
        access: Access,
        uuid: str,
        new: NewMember,
        body: Body,
        describe: Describe[NewMember] | None = None,
    ) -> Member:
        """Add a file, which the bundle owns.

        ``describe`` is awaited once the body has arrived. Raises `NotFound`, and `BundleClosed`.
        """
        admit = self.admission(uuid)
        async with self._uploads.receive(access, body, kind=OBJECTS, admit=admit) as received:
            if describe is not None:
                new = await describe()
            (member,) = await self._commit(access, uuid, [(new, received)])
        return member

    async def add_all(
        self, access: Access, uuid: str, sent: AsyncGenerator[tuple[NewMember, Body], None]
    ) -> Sequence[Member]:
        """Add all files that are sent, or none; raises as `add` does."""
        admit = self.admission(uuid)
        receiving = self._uploads.receive_all(access, sent, kind=OBJECTS, admission=lambda _: admit)
        async with receiving as arrived:
            return await self._commit(access, uuid, arrived)

    async def point(self, access: Access, uuid: str, kind: str, target_id: str) -> Member:
        """Add a member that points to a thing of the account; it leaves when that is deleted.

        Raises `NotFound`, `BundleClosed`, and `Forbidden` where no link to it is allowed.
        """
        return await access.write(filling.point, self._members, uuid, kind, target_id, clock.now())

    async def find_member(self, access: Access, uuid: str, member: str) -> Member:
        """Return a member, ready to be read; raises `NotFound`."""
        return await access.read(reading.find_member, self._members, uuid, member, clock.now())

    async def page_of_members(
        self,
        access: Access,
        uuid: str,
        limit: int,
        cursor: str | None,
        *,
        name: str | None = None,
    ) -> Page[Member]:
        """Return a page of a bundle's members, in their order: all, or that of a name.

        Raises `NotFound`.
        """
        return await access.read(
            reading.page_of_members, self._members, uuid, limit, cursor, clock.now(), name=name
        )

    async def remove_member(self, access: Access, uuid: str, member: str) -> None:
        """Take a member out, and delete it if the bundle owns it; raises `NotFound`."""
        await access.write(filling.remove_member, uuid, member, clock.now())
        self._wake_sweep()

    # Albums

    async def albums(self, access: Access, limit: int, cursor: str | None) -> Page[Album]:
        """Return a page of bundles of pictures alone, newest first."""
        return await access.read(albums.page, self._members, limit, cursor, clock.now())

    async def add_pictures(self, access: Access, uuid: str, pictures: Sequence[str]) -> None:
        """Add pictures to a bundle, closed or not; see `albums.add`."""
        await access.write(albums.add, self._members, uuid, pictures, clock.now())

    async def take_out(self, access: Access, uuid: str, members: Sequence[str]) -> None:
        """Take members out, and delete those that the bundle owns; raises `NotFound`."""
        await access.write(albums.take_out, uuid, members, clock.now())
        self._wake_sweep()

    # Visitors of its link

    async def show(self, link: PublicLink, limit: int, cursor: str | None) -> Shown:
        """Return the bundle that a link leads to, with a page of its members."""
        return await self._database.read(
            public.find, self._members, link, limit, cursor, clock.now()
        )

    async def shown_member(self, link: PublicLink, name: str) -> Member:
        """Return a member by its name; raises `NotFound`. Its bytes are for its owner."""
        return await self._database.read(
            public.find_member, self._members, link.target.id, name, clock.now()
        )

    async def given_member(self, link: PublicLink, name: str) -> Member:
        """Return a member with what the link gives of it; raises as `PublicLink.content` does."""
        member = await self.shown_member(link, name)
        return replace(member, content=public.content_of(member, link))

    async def archive(self, link: PublicLink) -> Archive:
        """Return the archive of what strangers get of all members that they may see."""
        shown = partial(self._members.all, only_shown=True)
        members = await self._database.read(shown, link.target.id, clock.now())
        return await lay_out(list(public.entries(members, link)))

    async def _create(
        self,
        access: Access,
        new: NewBundle,
        *,
        sent: Sequence[tuple[NewMember, Received]] = (),
        things: Sequence[tuple[str, str]] = (),
        is_open: bool,
    ) -> Bundle:
        create = partial(filling.create, sent=sent, things=things, is_open=is_open)
        link, usual, now = self._links.new_own_link(), self._usual_lifetime, clock.now()
        bundle, evicted = await access.write(
            create, self._members, new, link, usual, self._make_room(now), now
        )
        self._wake_tasks(bundle, evicted)
        return bundle

    async def _commit(
        self, access: Access, uuid: str, arrived: Sequence[tuple[NewMember, Received]]
    ) -> Sequence[Member]:
        sent = [(_typed(new), received) for new, received in arrived]
        return await access.write(filling.add, self._members, uuid, sent, clock.now())

    def _make_room(self, now: int) -> rows.MakeRoom:
        return partial(self._evict, max_files=self._max_files, now=now)

    def _wake_tasks(self, bundle: Bundle, evicted: int) -> None:
        if evicted:
            self._wake_sweep()
        if bundle.expires_at is not None:
            self._wake_expiry(bundle.expires_at)


def _typed(new: NewMember) -> NewMember:
    """Guess the media type of a file whose sender doesn't know it."""
    return replace(new, content_type=media_types.guess(new.name, new.content_type))
