"""The buffer: what an account may do with it."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial
from typing import Final

from app import clock
from app.accounts.identity import Access
from app.buffer import history, rows
from app.buffer.entities import KIND, Clip, NewClip, PastClip, Revision
from app.buffer.events import BufferEvents
from app.config import Settings
from app.objects import media_types
from app.objects.preconditions import Preconditions
from app.objects.uploads import Admit, Body, Describe, Uploads

_NOT_OF_A_TEXT: Final = frozenset({media_types.UNKNOWN, "application/x-www-form-urlencoded"})
"""Media types that clients send by default, curl for one."""


class Buffer:
    """Fills, reads and empties the buffer of an account, and tells its listeners."""

    def __init__(
        self,
        settings: Settings,
        uploads: Uploads,
        events: BufferEvents,
        *,
        wake_expiry: Callable[[int], None],
        wake_sweep: Callable[[], None],
    ) -> None:
        self._lifetime = settings.expire_time
        self._inline_max = settings.inline_max_bytes
        self._uploads = uploads
        self._events = events
        self._wake_sweep = wake_sweep
        self._wake_expiry = wake_expiry

    def admission(self, conditions: Preconditions) -> Admit:
        """Return what says whether the buffer may be filled."""
        return partial(rows.admit, conditions=conditions, now=clock.now())

    async def put(
        self,
        access: Access,
        new: NewClip,
        body: Body,
        conditions: Preconditions,
        describe: Describe[NewClip] | None = None,
    ) -> tuple[Clip, bool]:
        """Fill the buffer; what is in it goes into its history.

        Returns what it holds, and whether it was empty.
        ``describe`` is awaited once the body has arrived: the rest of a form may change ``new``.
        Raises `PreconditionFailed`.
        """
        if body.arrived is None:
            await self.make_room(access, body.size)
        admit = self.admission(conditions)
        async with self._uploads.receive(access, body, kind=KIND, admit=admit) as received:
            if describe is not None:
                new = await describe()
            new = replace(new, content_type=_media_type(new))
            clip, was_empty = await access.write(
                rows.put, new, received, conditions, self._lifetime, clock.now()
            )
        await self._announce(clip.revision)
        return clip, was_empty

    async def make_room(self, access: Access, size: int | None) -> None:
        """Let what was in the buffer give way to what comes, before that is charged.

        ``size`` is None if it isn't known; small bodies are charged only once they are there.
        """
        if size is None or size > self._inline_max:
            await access.write(history.make_room, size, clock.now())

    async def find(self, access: Access) -> Clip:
        """Return what the buffer holds, ready to be read; raises `NotFound` if it is empty."""
        return await access.read(rows.find, clock.now())

    async def clear(self, access: Access, conditions: Preconditions) -> None:
        """Empty the buffer; raises `NotFound` if it is empty, and `PreconditionFailed`."""
        await self._announce(await access.write(rows.clear, conditions, clock.now()))

    # What was in it before

    async def history(self, access: Access) -> Sequence[PastClip]:
        """Return what was in the buffer before, newest first."""
        return await access.read(history.read_all, clock.now())

    async def find_past(self, access: Access, uuid: str) -> PastClip:
        """Return one of what was in the buffer, ready to be read; raises `NotFound`."""
        return await access.read(history.find, uuid, clock.now())

    async def bring_back(self, access: Access, uuid: str) -> Clip:
        """Put what was in the buffer into it again; raises `NotFound`."""
        clip = await access.write(rows.bring_back, uuid, self._lifetime, clock.now())
        await self._announce(clip.revision)
        return clip

    async def remove_past(self, access: Access, uuid: str) -> None:
        """Remove one of what was in the buffer; raises `NotFound`."""
        await access.write(history.remove, uuid, clock.now())
        self._wake_sweep()

    async def clear_history(self, access: Access) -> None:
        """Remove all that was in the buffer, but not what is in it."""
        await access.write(history.clear, clock.now())
        self._wake_sweep()

    def listen(self, access: Access) -> AbstractAsyncContextManager[AsyncIterator[Revision | None]]:
        """Listen to changes, see `Changes.listen`."""
        return self._events.listen(access)

    @property
    def listeners(self) -> int:
        """The number of listeners in this process."""
        return self._events.listeners

    async def _announce(self, revision: Revision) -> None:
        if revision.expires_at is None:
            self._wake_sweep()
        else:
            self._wake_expiry(revision.expires_at)
        await self._events.announce(revision.account, revision.version)


def _media_type(new: NewClip) -> str:
    """Return the media type of what is put in, whose sender may not know it."""
    if new.data_type == "text" and new.content_type in _NOT_OF_A_TEXT:
        return "text/plain; charset=utf-8"
    if new.name is None:
        return new.content_type
    return media_types.guess(new.name, new.content_type)
