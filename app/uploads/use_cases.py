"""Resumable uploads: what an account may do with them, whatever protocol it speaks."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from functools import partial

from sqlalchemy import Connection

from app import clock
from app.accounts.identity import Access, Identity
from app.config import Settings
from app.database import Database
from app.errors import (
    ContentTooLarge,
    InvalidRequest,
    LengthMismatch,
    ServiceUnavailable,
    UnsupportedMediaType,
)
from app.objects.entities import Tail
from app.objects.intake.appends import Append
from app.objects.segments import Unfinished
from app.objects.uploads import Body, Uploads
from app.uploads import rows
from app.uploads.entities import Kind, NewUpload, Piece, Upload
from app.uploads.makers import Maker
from storage.base import new_key


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
        self._lifetime = settings.upload_lifetime * clock.SECOND
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
        admit = self._makers[new.kind].admission(new.fields)
        now = clock.now()
        upload = await access.needing(rows.scope_of(new.kind)).write(
            rows.create, new, admit, now + self._lifetime, now
        )
        self._wake_expiry(upload.expires_at)
        return upload

    async def create_whole(self, access: Access, new: NewUpload, body: Body) -> Upload:
        """Create an upload that its first request completes; nothing of it is stored in pieces.

        A body that breaks off leaves nothing. Raises as the kind's own use case does.
        """
        maker, now = self._makers[new.kind], clock.now()
        name = maker.name_of(new.fields, new.uuid)
        noted: list[Upload] = []

        def note(connection: Connection, identity: Identity) -> None:
            expires_at = now + self._lifetime
            noted.append(rows.create_finished(connection, identity, new, name, expires_at, now))

        kinds_own = access.needing(rows.scope_of(new.kind))
        await maker.make(kinds_own, new.fields, new.uuid, replace(body, on_settle=note))
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

    async def append(self, access: Access, uuid: str, piece: Piece, body: Body) -> Upload:
        """Append bytes to an upload, and finish it if it is complete with them.

        A body that breaks off keeps what arrived, and then raises its error. Raises as `status`
        does, and as `rows.take_over`, the kind's own use case and the store do.
        """
        found = await self._stop(access, uuid)
        if found.is_finished and body.size == 0 and piece.offset == found.offset:
            return found
        kind = rows.OBJECT_KINDS[found.kind]
        upload, held = await access.write(
            rows.take_over, uuid, piece, body.size, new_key(kind), clock.now()
        )
        commit = partial(self._commit, upload.id)
        async with self._appends.append(held, kind, commit) as append:
            return await self._receive(access, upload, append, body)

    async def cancel(self, access: Access, uuid: str) -> None:
        """Remove an upload; what has been made of a finished one stays."""
        await self._stop(access, uuid)
        await access.write(rows.cancel, uuid, clock.now())
        self._wake_sweep()

    async def _stop(self, access: Access, uuid: str) -> Upload:
        """Return an upload that nobody in this process appends to any more."""
        upload = await access.read(rows.find, uuid, clock.now())
        if upload.object_id is None or not await self._appends.stop(upload.object_id):
            return upload
        return await access.read(rows.find, uuid, clock.now())

    async def _receive(self, access: Access, upload: Upload, append: Append, body: Body) -> Upload:
        identity = append.held.reservation.owner
        limits = (upload.length, identity.tier.max_object_bytes)
        limit = min((limit for limit in limits if limit is not None), default=None)
        chunks = body.chunks
        if limit is not None:
            too_long = LengthMismatch if limit == upload.length else ContentTooLarge
            chunks = _limited(chunks, limit - upload.offset, too_long)
        tail = await append.receive(chunks, body.size, upload.length)
        if isinstance(append.broken, ContentTooLarge | LengthMismatch):
            raise append.broken  # what is too much makes all of it doubtful
        arrived = append.size + tail.size
        if arrived == upload.length:  # even if the body broke off after its last byte
            return await self._finish(access, upload, append, tail)
        await append.end(tail)
        if append.broken is not None:
            raise append.broken
        return replace(upload, offset=arrived, expires_at=clock.now() + self._lifetime)

    async def _finish(self, access: Access, upload: Upload, append: Append, tail: Tail) -> Upload:
        maker, size = self._makers[upload.kind], append.size + tail.size
        name = maker.name_of(upload.fields, upload.uuid)
        expires_at = clock.now() + self._lifetime
        note = partial(
            rows.finish, upload_id=upload.id, made=name, length=size, expires_at=expires_at
        )

        async with aclosing(append.content(tail)) as chunks:
            body = Body(chunks, size, arrived=partial(append.finish, tail), on_settle=note)
            kinds_own = access.needing(rows.scope_of(upload.kind))
            try:
                await maker.make(kinds_own, upload.fields, upload.uuid, body)
            except (UnsupportedMediaType, InvalidRequest):  # nothing can be made of these bytes
                await access.write(rows.cancel, upload.uuid, clock.now())
                raise
        append.settled()
        self._wake_expiry(expires_at)
        return replace(upload, offset=size, made=name, object_id=None, expires_at=expires_at)

    async def _commit(
        self, upload_id: int, held: Unfinished, tail: Tail, key: str | None
    ) -> Unfinished:
        now = clock.now()
        expires_at = now + self._lifetime
        return await self._database.write(
            rows.commit, held, tail, key, upload_id=upload_id, expires_at=expires_at, now=now
        )


async def _limited(
    chunks: AsyncIterator[bytes], limit: int, too_long: type[LengthMismatch | ContentTooLarge]
) -> AsyncIterator[bytes]:
    """Yield a body of up to ``limit`` bytes; raises ``too_long`` as soon as it is longer."""
    async for chunk in chunks:
        limit -= len(chunk)
        if limit < 0:
            raise too_long(f"The upload may have {-limit} bytes less than this")
        yield chunk
