"""Signatures: what an account may do with them."""

from collections.abc import Mapping
from typing import Any

from app import clock
from app.accounts.identity import Access
from app.database.pagination import Page
from app.dumps.entities import Filters
from app.dumps.signatures import rows
from app.dumps.signatures.entities import Details, Listed, Signature, Wanted


class Signatures:
    """Lists, finds and changes the signatures of an account."""

    async def page(
        self, access: Access, wanted: Wanted, limit: int, cursor: str | None
    ) -> Page[Listed]:
        """Return a page of signatures; one that takes too long to fill ends early."""
        return await access.read_long(rows.page, wanted, limit, cursor, clock.now())

    async def find(self, access: Access, uuid: str, filters: Filters, days: int) -> Details:
        """Return a signature, and counts of its dumps that pass the filters, over some days.

        Raises `NotFound`.
        """
        return await access.read_long(rows.find_details, uuid, filters, days, clock.now())

    async def find_named(self, access: Access, name: str) -> Signature | None:
        """Return the signature of this name, if there is one."""
        return await access.read(rows.find_named, name)

    async def has_any(self, access: Access) -> bool:
        """Tell whether the account has a signature."""
        return await access.read(rows.has_any)

    async def change(self, access: Access, uuid: str, changes: Mapping[str, Any]) -> Signature:
        """Change the state, the version that has the fix or the note, whichever ``changes`` has.

        Raises `NotFound`, and `InvalidRequest` for a version of what isn't resolved.
        """
        return await access.write(rows.change, uuid, changes, clock.now())
