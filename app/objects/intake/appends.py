"""Appending to unfinished objects: what arrives is cut into segments, each committed when stored.

A body that breaks off ends its segment instead of failing. Of several that append to one object,
the newest goes on: it stops those before it in this process, whose bytes are kept; in another
process, these find at their next commit that the key isn't theirs any more.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Final

import structlog

from app import clock
from app.database import Database
from app.errors import DigestMismatch, LeaseLost, Locked
from app.objects import segments
from app.objects.digests import NONE, Digests, Hashing
from app.objects.entities import Received, Segment, Tail
from app.objects.intake import merging
from app.objects.intake.charging import Charging
from app.objects.intake.hashing import RunningHashes, begin_update, finished, updated
from app.objects.intake.reading import read
from app.objects.intake.source import Source
from app.objects.memory import BufferPool, fill
from app.objects.segments import Unfinished
from storage.base import ObjectStore, new_key

SEGMENT: Final = 64 * 1024 * 1024
"""Bytes of a body after which what arrived is committed."""

Commit = Callable[[Unfinished, Tail, str | None], Awaitable[Unfinished]]
"""Commits a stored segment, as `segments.add` does; None instead of a key: it is the last."""

_START: Final = 4096  # bytes that are enough to see what an object is
_PATIENCE: Final = 10.0  # seconds for one that was stopped to end

log = structlog.get_logger(__name__)


class Appends:
    """Receives bodies that are appended to unfinished objects."""

    def __init__(
        self,
        database: Database,
        store: ObjectStore,
        buffers: BufferPool,
        threads: ThreadPoolExecutor,
        *,
        on_give_up: Callable[[], None],
    ) -> None:
        """``threads`` hash; ``on_give_up`` is called when there is something to be swept."""
        self.database = database
        self.store = store
        self.buffers = buffers
        self.threads = threads
        self.hashes = RunningHashes()
        self._on_give_up = on_give_up
        self._running: dict[int, Append] = {}  # the newest of each object
        self._stopped: Exception | None = None
        self._open = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @asynccontextmanager
    async def append(
        self, held: Unfinished, kind: str, commit: Commit, announced: Digests = NONE
    ) -> AsyncIterator["Append"]:
        """Append to an object that the caller has just taken over.

        Digests may have been ``announced`` of the whole. What has not been committed within the
        context is given up.
        """
        object_id = held.reservation.object_id
        append = Append(self, held, kind, commit, announced)
        if self._stopped is not None:
            append.stop(self._stopped)
        self._running[object_id] = append
        self._open += 1
        self._idle.clear()
        try:
            yield append
        finally:
            await self._end(append)
            if self._running.get(object_id) is append:
                del self._running[object_id]
            append.ended.set()
            self._open -= 1
            if not self._open:
                self._idle.set()

    async def stop(self, object_id: int) -> bool:
        """Stop whoever appends to an object in this process, and wait until its bytes are kept.

        Returns whether there was somebody. Raises `Locked` if all of them have arrived, and the
        object is being finished.
        """
        append = self._running.get(object_id)
        if append is None:
            return False
        append.stop(LeaseLost("Another request has gone on with this upload"))
        try:
            async with asyncio.timeout(_PATIENCE):
                await append.ended.wait()
        except TimeoutError:  # who doesn't end can't commit once somebody has taken over
            if append.is_finishing:
                raise Locked from None
        return True

    def stop_all(self, reason: Exception) -> None:
        """Stop all appends, whose bytes are kept; for a process that is to end."""
        self._stopped = reason
        for append in self._running.values():
            append.stop(reason)

    async def aclose(self) -> None:
        """Wait until the appends in progress, which have been cancelled, have cleaned up."""
        await self._idle.wait()

    async def _end(self, append: "Append") -> None:
        """Give up what an append has not committed."""
        if append.is_committed:
            return
        try:
            await self.database.write(segments.let_go, append.held, clock.now())
        except Exception:
            # whoever appends next buries the key, or the removal of the object does
            log.exception("could not give up a segment at once", key=append.held.reservation.key)
        self._on_give_up()


class Append:
    """One body that is appended to an unfinished object."""

    def __init__(
        self, appends: Appends, held: Unfinished, kind: str, commit: Commit, announced: Digests
    ) -> None:
        self.ended = asyncio.Event()
        self.is_committed = False
        self.is_finishing = False
        self.broken: Exception | None = None
        """Why the body ended, if it broke off."""
        self._appends = appends
        self._kind = kind
        self._commit_segment = commit
        self._set(held)
        self._source: Source | None = None
        self._stopped: Exception | None = None
        self._announced = announced  # of the whole
        hashed, hashing = appends.hashes.find(self._object_id, held.size, announced)
        self._hashing = hashing if hashed == held.size else None  # of what is committed
        self._tail_hashing: Hashing | None = None
        self._before = held, self._hashing
        self._piece: Hashing | None = None

    @property
    def held(self) -> Unfinished:
        """The object with the right to write its next segment."""
        return replace(self._held, reservation=self._charging.reservation)

    @property
    def size(self) -> int:
        """The bytes that are committed."""
        return self._held.size

    @property
    def _object_id(self) -> int:
        return self._held.reservation.object_id

    def stop(self, reason: Exception) -> None:
        """End the body here; what arrived is kept."""
        self._stopped = reason
        if self._source is not None:
            self._source.stop(reason)

    async def receive(
        self,
        chunks: AsyncIterator[bytes],
        size: int | None,
        whole: int | None = None,
        announced: Digests = NONE,
    ) -> Tail:
        """Receive a body, whose ``size`` is known or None, and commit all but its last segment.

        Returns the last one, which is stored; it has bytes if it brings the object to the size
        ``whole``. A body without the digests that were ``announced`` of it leaves nothing. Raises
        `DigestMismatch`, the store's errors, and `LeaseLost` if somebody else has taken over.
        """
        arrived = self.size

        async def charge(more: int) -> None:
            nonlocal arrived
            await self._charging.cover(arrived + more)
            arrived += more

        self._source = source = Source(chunks, charge)
        if self._stopped is not None:
            source.stop(self._stopped)
        with self._appends.buffers.pair(size) as pair:
            await self._merge()
            self._before = self._held, self._hashing
            self._piece = Hashing(announced) if announced else None
            while True:
                tail = await self._store(source, pair)
                is_whole = self.size + tail.size == whole
                if tail.size < SEGMENT or (is_whole and not await source.has_more()):
                    break
                await self._commit(tail)
                await self._merge()
        self.broken = source.broken
        if self.broken is None:
            await self._check_piece()
        return tail

    async def end(self, tail: Tail) -> None:
        """Commit the last segment of a body that doesn't complete its object."""
        await self._commit(tail, is_last=True)
        self.is_committed = True

    async def finish(self, tail: Tail, start: AsyncIterator[bytes]) -> Received:
        """Return the whole object, to be settled; ``tail`` is its last segment.

        ``start`` yields its bytes to whoever wants to see how it begins. Raises `DigestMismatch`.
        """
        self.is_finishing = True
        seen = 0
        while seen < _START and (chunk := await anext(start, b"")):
            seen += len(chunk)
        reservation = self._charging.reservation
        stored = self._with(tail)
        hashing = await self._whole(stored, self.size + tail.size)
        return Received(
            size=self.size + tail.size,
            sha256=hashing.sha256(),
            crc32=hashing.crc32,
            reservation=reservation,
            data=None,
            segments=stored,
            tail=tail,
        )

    def content(self, tail: Tail) -> AsyncGenerator[bytes, None]:
        """Return the bytes of the whole object, to be closed."""
        return read(self._appends.store, self._with(tail))

    def settled(self) -> None:
        """Note that the object has become ready, and isn't to be given up."""
        self.is_committed = True
        self._appends.hashes.forget(self._object_id)

    def _set(self, held: Unfinished) -> None:
        self._held = held
        self._charging = Charging(self._appends.database, held.reservation)

    def _with(self, tail: Tail) -> tuple[Segment, ...]:
        before = self._held.segments
        return (*before, Segment(self._held.reservation.key, tail.size)) if tail.size else before

    async def _check_piece(self) -> None:
        """Raise `DigestMismatch` for a body with another digest, of which nothing is left."""
        if self._piece is None:
            return
        try:
            self._piece.check()
        except DigestMismatch:
            before, hashing = self._before
            if before.size < self.size:
                now = clock.now()
                self._set(
                    await self._appends.database.write(segments.withdraw, self.held, before, now)
                )
                self._note(hashing)
            raise

    async def _store(self, source: Source, pair: tuple[memoryview, memoryview]) -> Tail:
        """Store the next segment under the key that is held; nothing is put if there is none."""
        whole = None if self._hashing is None else self._hashing.copy()
        # up to the end of the first segment, the whole is that
        part = whole if whole is not None and self.size == 0 else Hashing()
        hashes = {hashes for hashes in (part, whole, self._piece) if hashes is not None}
        size, hashing = 0, tuple[asyncio.Future[None], ...]()

        async def chunks() -> AsyncGenerator[memoryview, None]:
            nonlocal size, hashing
            threads = self._appends.threads
            async for chunk in fill(source.segment(SEGMENT), pair):
                await finished(*hashing)
                hashing = tuple(
                    job for digest in hashes for job in begin_update(threads, digest, chunk)
                )
                size += len(chunk)
                yield chunk
            await finished(*hashing)

        if await source.has_more():
            try:
                async with aclosing(chunks()) as body:
                    await self._appends.store.put(self._held.reservation.key, body, size=None)
            finally:
                await finished(*hashing)
        self._tail_hashing = whole
        return Tail(size, part.sha256())

    async def _commit(self, tail: Tail, *, is_last: bool = False) -> None:
        key = None if is_last else new_key(self._kind)
        self._set(await self._commit_segment(self.held, tail, key))
        self._note(self._tail_hashing)

    def _note(self, hashing: Hashing | None) -> None:
        """Note the hashes of what is committed, if they are known."""
        self._hashing = hashing
        if hashing is not None:
            self._appends.hashes.keep(self._object_id, self.size, hashing)

    async def _merge(self) -> None:
        appends, key = self._appends, self._held.reservation.key
        # what may have to be withdrawn isn't merged with what was there before
        kept = 0 if self._piece is None else len(self._before[0].segments)
        run = merging.due([segment.size for segment in self._held.segments[kept:]])
        if run is None:
            return
        run = slice(run.start + kept, run.stop + kept)
        copied = await merging.copy(appends.store, self._held.segments[run], key, appends.threads)
        following = new_key(self._kind)
        self._set(
            await appends.database.write(
                segments.merge, self.held, run, copied, following, clock.now()
            )
        )
        appends._on_give_up()

    async def _whole(self, stored: tuple[Segment, ...], size: int) -> Hashing:
        """Return the hashes of the whole object; what hasn't been hashed here is read for that."""
        hashes = self._appends.hashes
        hashed, hashing = size, self._tail_hashing
        if hashing is None:
            hashed, hashing = hashes.find(self._object_id, self.size, self._announced)
        async with aclosing(read(self._appends.store, stored, hashed)) as chunks:
            async for chunk in chunks:
                await updated(self._appends.threads, hashing, chunk)
                hashed += len(chunk)
                if hashed <= self.size:  # what comes after that may be sent anew, and differ
                    hashes.keep(self._object_id, hashed, hashing.copy())
        hashing.check()
        return hashing
