"""Blobs: what an account may do with them."""

from collections.abc import Callable, Sequence
from functools import partial

from app import clock
from app.accounts.identity import Access
from app.archives.archive import Archive
from app.archives.use_cases import lay_out
from app.blobs import listing, rows
from app.blobs.entities import KIND, Blob, BlobSort
from app.database.pagination import Page
from app.errors import NotFound
from app.objects import media_types
from app.objects.preconditions import Preconditions
from app.objects.uploads import Admit, Body, Uploads


class Blobs:
    """Creates, replaces, lists and deletes the blobs of an account."""

    def __init__(self, uploads: Uploads, *, wake_sweep: Callable[[], None]) -> None:
        self._uploads = uploads
        self._wake_sweep = wake_sweep

    async def create(self, access: Access, name: str, data: bytes) -> None:
        """Create a blob of an unknown media type; raises `Conflict` if its name is in use."""
        small = self._uploads.small(data)
        if small is not None:
            await access.write(rows.create, name, small, media_types.UNKNOWN, clock.now())
            return
        admit = partial(rows.admit_new, name=name)
        async with self._uploads.receive(access, Body.of(data), kind=KIND, admit=admit) as received:
            await access.write(rows.create, name, received, media_types.UNKNOWN, clock.now())

    def admission(self, name: str, conditions: Preconditions) -> Admit:
        """Return what says whether a blob may be put."""
        return partial(rows.admit, name=name, conditions=conditions)

    async def put(
        self,
        access: Access,
        name: str,
        body: Body,
        content_type: str,
        conditions: Preconditions,
    ) -> tuple[Blob, bool]:
        """Create a blob or replace its bytes; returns it and whether it is new.

        Raises `PreconditionFailed`.
        """
        admit = self.admission(name, conditions)
        async with self._uploads.receive(access, body, kind=KIND, admit=admit) as received:
            return await access.write(
                rows.put, name, received, content_type, conditions, clock.now()
            )

    async def find(self, access: Access, name: str) -> Blob:
        """Return a blob, ready to be read; raises `NotFound`."""
        found = await access.find(rows.by_name, name=name)
        if found is None:
            raise NotFound("Blob not found")
        return rows.blob_of(found)

    async def page(
        self,
        access: Access,
        limit: int,
        cursor: str | None,
        *,
        prefix: str | None = None,
        sort: BlobSort | None = None,
    ) -> Page[Blob]:
        """Return a page of blobs: all, or those whose names start with ``prefix``.

        Without ``sort``, these are in the order of their names, and all are newest first.
        """
        if sort is None:
            sort = BlobSort.NEWEST if prefix is None else BlobSort.ID
        return await access.read(listing.page, prefix or "", sort, limit, cursor)

    async def archive(self, access: Access, names: Sequence[str]) -> Archive:
        """Return the archive of several blobs; raises `NotFound` if one isn't there."""
        return await lay_out(await access.read(listing.entries, names))

    async def remove(self, access: Access, name: str, conditions: Preconditions) -> None:
        """Delete a blob and end its links; raises `NotFound` and `PreconditionFailed`."""
        await access.write(rows.remove, name, conditions, clock.now())
        self._wake_sweep()
