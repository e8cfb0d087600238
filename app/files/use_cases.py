"""Files: what an account may do with them."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from app import clock
from app.accounts.identity import Access, Identity
from app.archives.archive import Archive
from app.archives.use_cases import lay_out
from app.bundles.members import Members
from app.config import Settings
from app.database.pagination import Page
from app.files import by_name, changes, eviction, listing, rows
from app.files.entities import ALL, ANY, KIND, Evicted, File, NewFile, Wanted
from app.files.unclaimed import UnclaimedUploads
from app.links.terms import settle
from app.links.use_cases import Links
from app.objects import media_types
from app.objects.entities import Received
from app.objects.preconditions import Preconditions
from app.objects.uploads import Admit, Body, Describe, Uploads

Claim = Describe[Access]
"""Reads what follows a body in its form, and returns the access of its owner."""


class Files:
    """Stores, lists, changes and deletes the files of an account."""

    def __init__(
        self,
        settings: Settings,
        uploads: Uploads,
        unclaimed: UnclaimedUploads,
        links: Links,
        members: Members,
        *,
        wake_expiry: Callable[[int], None],
        wake_sweep: Callable[[], None],
    ) -> None:
        self.unclaimed = unclaimed
        self._usual_lifetime = settings.expire_time
        self._max_files = settings.max_files
        self._uploads = uploads
        self._links = links
        self._members = members
        self._wake_sweep = wake_sweep
        self._wake_expiry = wake_expiry

    def admission(self, new: NewFile) -> Admit:
        """Return what says whether a file may be sent."""
        link, now = self._links.new_own_link(), clock.now()

        def admit(connection: Connection, identity: Identity) -> int:
            terms = settle(new, link, identity.tier, self._usual_lifetime, now)
            evict = ANY if terms.expires_at is None else new.evict
            return eviction.admit(connection, identity, self._max_files, now, evict)

        return admit

    async def hash_password(self, access: Access, password: str | None) -> str | None:
        """Return the form in which the password of a new file's link is kept; None for none."""
        return await self._links.hash_password(access, password)

    async def create(
        self,
        access: Access,
        new: NewFile,
        body: Body,
        describe: Describe[NewFile] | None = None,
    ) -> File:
        """Store a file, and evict others if too many expire.

        ``describe`` is awaited once the body has arrived: the rest of a form may change ``new``.
        Raises `TooManyFiles`.
        """
        async with self._receive(access, new, body) as received:
            if describe is not None:
                new = await describe()
            (file,) = await self._commit(access, [(new, received)])
        return file

    async def create_all(
        self, access: Access, sent: AsyncGenerator[tuple[NewFile, Body], None]
    ) -> Sequence[File]:
        """Store all files that are sent, or none; raises `TooManyFiles`."""
        receiving = self._uploads.receive_all(access, sent, kind=KIND, admission=self.admission)
        async with receiving as arrived:
            return await self._commit(access, arrived) if arrived else []

    async def commit(self, access: Access, new: NewFile, received: Received) -> File:
        """Make a file of a body that has been received; raises `TooManyFiles`."""
        (file,) = await self._commit(access, [(new, received)])
        return file

    async def find(self, access: Access, uuid: str) -> File:
        """Return a file, ready to be read; raises `NotFound`."""
        return await access.read(rows.find, uuid, clock.now())

    async def page(
        self, access: Access, limit: int, cursor: str | None, wanted: Wanted = ALL
    ) -> Page[File]:
        """Return a page of files: all, or those that are wanted."""
        return await access.read(listing.page, wanted, limit, cursor, clock.now())

    async def archive(
        self, access: Access, uuids: Sequence[str], bundles: Sequence[str] = ()
    ) -> Archive:
        """Return the archive of several files, and of bundles, each of which becomes a folder.

        Raises `NotFound` if one isn't there, and `InvalidRequest` if bundles hold too much.
        """
        found = await access.read(listing.entries, self._members, uuids, bundles, clock.now())
        return await lay_out(found)

    async def next_evicted(self, access: Access) -> Evicted | None:
        """Return the file that one more would evict; None if there is room for it."""
        return await access.read(eviction.next_evicted, self._max_files, clock.now())

    async def change(
        self,
        access: Access,
        uuid: str,
        facts: Mapping[str, Any],
        conditions: Preconditions,
    ) -> File:
        """Change a file: its ``name``, how many seconds it lives (``expires_in``, 0 keeps it).

        And its link: ``max_downloads``, ``password``, ``note``, each None for none. Raises
        `NotFound`, `PreconditionFailed` and `InvalidRequest`.
        """
        columns = await self._links.hashed(access, facts)
        link = self._links.new_own_link()
        file, evicted = await access.write(
            changes.change, uuid, columns, link, conditions, self._max_files, clock.now()
        )
        self._wake_tasks(file, evicted)
        return file

    async def remove(self, access: Access, uuid: str, conditions: Preconditions) -> None:
        """Delete a file and end its links; raises `NotFound` and `PreconditionFailed`."""
        await access.write(rows.remove, uuid, conditions, clock.now())
        self._wake_sweep()

    # Files by name, or by number

    async def keep(self, access: Access, new: NewFile, body: Body, claim: Claim) -> File:
        """Store a file for good; if its name is taken it gets a number: ``a_1.pdf``.

        ``access`` is charged for the body as it arrives; then ``claim`` is awaited.
        """
        async with self._receive_kept(access, body) as received:
            return await self._keep(await claim(), new, received)

    async def keep_unclaimed(
        self, new: NewFile, body: Body, claim: Claim, *, host: str, announced: int | None
    ) -> File:
        """Store a file as `keep` does, of which only ``claim`` tells whose it is.

        Until then it waits, see `UnclaimedUploads.hold`.
        """
        async with self.unclaimed.hold(body.chunks, host=host, announced=announced) as held:
            access = await claim()
            body = replace(body, chunks=held.claim(), size=held.size)
            async with self._receive_kept(access, body) as received:
                return await self._keep(access, new, received)

    async def find_numbered(self, access: Access, number: int) -> File:
        """Return a file by its number; raises `NotFound`."""
        return await access.read(by_name.find_numbered, number, clock.now())

    async def find_named(self, access: Access, name: str) -> File:
        """Return the newest file of a name, ready to be read; raises `NotFound`."""
        return await access.read(by_name.find_named, name, clock.now())

    async def list_after(self, access: Access, number: int, limit: int) -> Sequence[File]:
        """Return the files after a number, oldest first; of those with one name the newest."""
        return await access.read(by_name.list_after, number, limit, clock.now())

    async def remove_numbered(self, access: Access, number: int) -> None:
        """Delete a file by its number, as `remove` does; raises `NotFound`."""
        await access.write(by_name.remove_numbered, number, clock.now())
        self._wake_sweep()

    def _receive(
        self, access: Access, new: NewFile, body: Body
    ) -> AbstractAsyncContextManager[Received]:
        return self._uploads.receive(access, body, kind=KIND, admit=self.admission(new))

    def _receive_kept(self, access: Access, body: Body) -> AbstractAsyncContextManager[Received]:
        return self._uploads.receive(access, body, kind=KIND, admit=by_name.admit)

    async def _commit(
        self, access: Access, arrived: Sequence[tuple[NewFile, Received]]
    ) -> Sequence[File]:
        sent = [(_typed(new), self._links.new_own_link(), received) for new, received in arrived]
        usual, max_files = self._usual_lifetime, self._max_files
        made = await access.write(rows.create_all, sent, usual, max_files, clock.now())
        for file, evicted in made:
            self._wake_tasks(file, evicted)
        return [file for file, _ in made]

    async def _keep(self, access: Access, new: NewFile, received: Received) -> File:
        return await access.write(by_name.keep, _typed(new), received, clock.now())

    def _wake_tasks(self, file: File, evicted: int) -> None:
        if evicted:
            self._wake_sweep()
        if file.expires_at is not None:
            self._wake_expiry(file.expires_at)


def _typed(new: NewFile) -> NewFile:
    """Guess the media type of a file whose sender doesn't know it."""
    return replace(new, content_type=media_types.guess(new.name, new.content_type))
