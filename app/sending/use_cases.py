"""Sending: what one form brings becomes a file, or if it is several, one bundle of them."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from itertools import count
from typing import Final

from app.accounts.identity import Access
from app.bundles.entities import MAX_MEMBERS, Bundle, NewBundle, NewMember
from app.bundles.use_cases import Bundles
from app.errors import ContentTooLarge
from app.files.entities import KIND, File, NewFile
from app.files.use_cases import Files
from app.objects.uploads import Admit, Body, Uploads

_LONGEST: Final = 100  # characters of a file's name in that of its bundle

Sent = AsyncGenerator[tuple[NewFile, Body], None]
"""Files as they arrive; all have the same options."""

Finish = Callable[[NewFile], Awaitable[NewFile]]
"""Completes a file by what the form says after it."""


class Sending:
    """Stores what is sent together under one link."""

    def __init__(self, uploads: Uploads, files: Files, bundles: Bundles) -> None:
        self._uploads = uploads
        self._files = files
        self._bundles = bundles

    async def send(self, access: Access, sent: Sent, finish: Finish) -> File | Bundle | None:
        """Store what is sent, all or nothing; None if there is nothing.

        ``finish`` is awaited when all has arrived. Raises `TooManyFiles`.
        """
        numbers = count(1)

        def admission(new: NewFile) -> Admit:
            number = next(numbers)
            if number > MAX_MEMBERS:
                raise ContentTooLarge(f"A bundle may have up to {MAX_MEMBERS} members")
            return self._files.admission(new) if number == 1 else self._bundles.admit_member

        receiving = self._uploads.receive_all(access, sent, kind=KIND, admission=admission)
        async with receiving as arrived:
            if not arrived:
                return None
            first = await finish(arrived[0][0])
            if len(arrived) == 1:
                return await self._files.commit(access, first, arrived[0][1])
            members = [
                (NewMember(new.name, new.content_type), received) for new, received in arrived
            ]
            return await self._bundles.create_of(access, _bundle_of(first, len(members)), members)


def _bundle_of(first: NewFile, count: int) -> NewBundle:
    """Return a bundle with the options that all its files were sent with."""
    name = f"{first.name[:_LONGEST]} and {count - 1} more"
    return NewBundle(
        name,
        first.expires_in,
        first.evict,
        max_downloads=first.max_downloads,
        password_hash=first.password_hash,
        note=first.note,
        clamp=first.clamp,
    )
