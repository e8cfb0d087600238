"""Resumable uploads: what an account may do with them, whatever protocol it speaks."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Final, Protocol

from sqlalchemy import Connection

from app import clock
from app.accounts.identity import Access, Identity
from app.config import Settings
from app.database import Database
from app.errors import (
    ContentTooLarge,
    DigestMismatch,
    InvalidRequest,
    LengthMismatch,
    ServiceUnavailable,
    UnsupportedMediaType,
)
from app.objects.digests import NONE
from app.objects.entities import Tail, new_uuid
from app.objects.intake.append import Append
from app.objects.preconditions import NO_CONDITIONS
from app.objects.segments import Unfinished
from app.objects.uploads import Body, Uploads
from app.uploads import rows
from app.uploads.entities import Fields, Kind, NewUpload, Piece, Upload
from app.uploads.makers import Made, Maker
from storage.base import new_key

_OF_STRANGERS: Final = 3600 * clock.SECOND
"""How long a stranger's upload lives after its last byte."""

_USELESS: Final = (UnsupportedMediaType, InvalidRequest, DigestMismatch)
"""Errors that say that nothing can be made of these bytes."""


class Listener(Protocol):
    """Somebody who is told how far a request has got that appends to an upload."""

    async def kept(self, offset: int) -> None:
        """Note that so many bytes of the upload are kept."""

    def completed(self) -> None:
        """Note that all bytes are there: what comes now is the making of what it is for."""


class ResumableUploads:
    """Creates uploads, appends to them until they are complete, and makes what they are for."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        uploads: Uploads,
        makers: Mapping[Kind, Maker],
        *,
        wake_expiry: Callable[[int], None],
        wake_sweep: Callable[[], None],
    ) -> None:
        usual = settings.upload_lifetime * clock.SECOND
        self._lifetimes = dict.fromkeys(Kind, usual) | {Kind.INBOX: min(usual, _OF_STRANGERS)}
        self._database = database
        self._appends = uploads.appends
        self._makers = makers
        self._wake_expiry = wake_expiry
        self._wake_sweep = wake_sweep

    @asynccontextmanager
    async def stopping_at(self, closing: asyncio.Event) -> AsyncIterator[None]:
        """Keep what has arrived when ``closing`` is set: clients go on with another process."""

        async def stop() -> None:
            await closing.wait()
            self._appends.stop_all(ServiceUnavailable("The service is stopping; go on later"))

        stopping = asyncio.create_task(stop())
        try:
            yield
        finally:
            stopping.cancel()
            await asyncio.gather(stopping, return_exceptions=True)

    async def create(self, access: Access, new: NewUpload) -> Upload:
        """Create an upload; raises what would refuse what it is for, if that is known already."""
        new = await self._prepared(access, new)
        admit = self._makers[new.kind].admission(new.fields, new.terms.conditions)
        now = clock.now()
        upload = await access.needing(rows.scope_of(new.kind)).write(
            rows.create, new, admit, now + self._lifetimes[new.kind], now
        )
        self._wake_expiry(upload.expires_at)
        return upload

    async def create_whole(self, access: Access, new: NewUpload, body: Body) -> Upload:
        """Create an upload that its first request completes; nothing of it is stored in pieces.

        A body that breaks off leaves nothing. Raises as the kind's own use case does.
        """
        new = await self._prepared(access, new)
        maker, now = self._makers[new.kind], clock.now()
        name = maker.name_of(new.fields, new.uuid)
        noted: list[Upload] = []

        def note(connection: Connection, identity: Identity) -> None:
            expires_at = now + self._lifetimes[new.kind]
            noted.append(rows.create_finished(connection, identity, new, name, expires_at, now))

        kinds_own = access.needing(rows.scope_of(new.kind))
        body = replace(body, on_settle=note)
        await maker.make(kinds_own, new.fields, new.uuid, body, new.terms.conditions)
        self._wake_expiry(noted[-1].expires_at)
        return noted[-1]

    async def status(self, access: Access, uuid: str) -> Upload:
        """Return an upload, to which nobody appends any more: its offset is where to go on.

        A request in this process that does so is stopped, and its bytes are kept. Raises
        `NotFound`, `Gone`, `Forbidden`, and `Locked` while it is being finished.
        """
        upload = await self._stop(access, uuid)
        if upload.is_being_written:
            upload = await access.write(rows.stop_others, uuid, clock.now())
            self._wake_sweep()
        return upload

    async def append(
        self,
        access: Access,
        uuid: str,
        piece: Piece,
        body: Body,
        listener: Listener | None = None,
    ) -> Upload:
        """Append bytes to an upload, and finish it if it is complete with them.

        A body that breaks off keeps what arrived, and then raises its error; one without the
        digests that were announced of it leaves nothing. Raises as `status` does, and as
        `rows.take_over`, the kind's own use case and the store do.
        """
        found = await self._stop(access, uuid)
        is_over = found.is_finished and piece.offset == found.offset
        if is_over and piece.completes is None and body.size == 0:
            return found
        kind = rows.OBJECT_KINDS[found.kind]
        upload, held = await access.write(
            rows.take_over, uuid, piece, body.size, new_key(kind), clock.now()
        )
        # what may have to be undone isn't told
        told = listener if body.digests == NONE else None
        commit = partial(self._commit, upload, told)
        async with self._appends.append(held, kind, commit, upload.terms.digests) as append:
            upload, tail = await self._receive(access, upload, piece, append, body)
            if tail is None:
                return upload
            if listener is not None:
                listener.completed()
            return await self._finish(access, upload, append, tail)

    async def make(self, access: Access, kind: Kind, fields: Fields, body: Body) -> Made:
        """Make a thing of a body at once; if that breaks off, nothing is kept of it."""
        maker = self._makers[kind]
        kept = await maker.prepare(access, fields, body.size)
        return await maker.make(access, kept, new_uuid(), body, NO_CONDITIONS)

    async def cancel(self, access: Access, uuid: str) -> None:
        """Remove an upload; what has been made of a finished one stays."""
        await self._stop(access, uuid)
        await access.write(rows.cancel, uuid, clock.now())
        self._wake_sweep()

    async def _prepared(self, access: Access, new: NewUpload) -> NewUpload:
        kinds_own, maker = access.needing(rows.scope_of(new.kind)), self._makers[new.kind]
        return replace(new, fields=await maker.prepare(kinds_own, new.fields, new.length))

    async def _stop(self, access: Access, uuid: str) -> Upload:
        """Return an upload that nobody in this process appends to any more."""
        upload = await access.read(rows.find, uuid, clock.now())
        if upload.object_id is None or not await self._appends.stop(upload.object_id):
            return upload
        return await access.read(rows.find, uuid, clock.now())

    async def _receive(
        self, access: Access, upload: Upload, piece: Piece, append: Append, body: Body
    ) -> tuple[Upload, Tail | None]:
        """Receive a body; returns the upload, and its last segment if it is to be finished."""
        limits = (upload.length, upload.max_size)
        limit = min((limit for limit in limits if limit is not None), default=None)
        chunks = body.chunks
        if limit is not None:
            too_long = LengthMismatch if limit == upload.length else ContentTooLarge
            chunks = _limited(chunks, limit - upload.offset, too_long)
        tail = await append.receive(chunks, body.size, upload.length, body.digests)
        if isinstance(append.broken, ContentTooLarge | LengthMismatch):
            if piece.completes is not None and isinstance(append.broken, LengthMismatch):
                await access.write(rows.cancel, upload.uuid, clock.now())
            raise append.broken  # what is too much makes all of it doubtful
        arrived = append.size + tail.size
        upload = replace(upload, offset=arrived)
        if _is_complete(upload, piece, is_broken=append.broken is not None):
            return upload, tail
        await append.end(tail)
        if append.broken is not None:
            raise append.broken
        if piece.completes:
            raise LengthMismatch(f"The upload has {upload.length} bytes, and ends with {arrived}")
        return replace(upload, expires_at=clock.now() + self._lifetimes[upload.kind]), None

    async def _finish(self, access: Access, upload: Upload, append: Append, tail: Tail) -> Upload:
        maker, size = self._makers[upload.kind], upload.offset
        name = maker.name_of(upload.fields, upload.uuid)
        expires_at = clock.now() + self._lifetimes[upload.kind]
        note = partial(
            rows.finish, upload_id=upload.id, made=name, length=size, expires_at=expires_at
        )

        async with aclosing(append.content(tail)) as chunks:
            arrived, terms = partial(append.finish, tail), upload.terms
            body = Body(chunks, size, encoding=terms.encoding, arrived=arrived, on_settle=note)
            kinds_own = access.needing(rows.scope_of(upload.kind))
            try:
                result = await maker.make(
                    kinds_own, upload.fields, upload.uuid, body, terms.conditions
                )
            except _USELESS:
                await access.write(rows.cancel, upload.uuid, clock.now())
                raise
        append.settled()
        self._wake_expiry(expires_at)
        done = replace(upload, length=size, made=name, object_id=None, expires_at=expires_at)
        return replace(done, result=result)

    async def _commit(
        self,
        upload: Upload,
        listener: Listener | None,
        held: Unfinished,
        tail: Tail,
        key: str | None,
    ) -> Unfinished:
        now = clock.now()
        expires_at = now + self._lifetimes[upload.kind]
        held = await self._database.write(
            rows.commit, held, tail, key, upload_id=upload.id, expires_at=expires_at, now=now
        )
        if listener is not None and key is not None:  # else the answer says it
            await listener.kept(held.size)
        return held


def _is_complete(upload: Upload, piece: Piece, *, is_broken: bool) -> bool:
    """Tell whether an upload is to be finished, given with the bytes that a piece has brought.

    It is when it has its length, even if the body broke off after its last byte.
    """
    if piece.completes and upload.length is None:
        return not is_broken
    return piece.completes is not False and upload.offset == upload.length


async def _limited(
    chunks: AsyncIterator[bytes], limit: int, too_long: type[LengthMismatch | ContentTooLarge]
) -> AsyncIterator[bytes]:
    """Yield a body of up to ``limit`` bytes; raises ``too_long`` as soon as it is longer."""
    async for chunk in chunks:
        limit -= len(chunk)
        if limit < 0:
            raise too_long(f"The upload may have {-limit} bytes less than this")
        yield chunk
