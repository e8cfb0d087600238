"""One body that is appended to an unfinished object: cut into segments, each committed when stored.

A body that breaks off ends its segment instead of failing.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Final

from app import clock
from app.database import Database
from app.errors import DigestMismatch
from app.objects import segments
from app.objects.digests import NONE, Digests, Hashing
from app.objects.entities import Received, Segment, Tail
from app.objects.intake import merging
from app.objects.intake.charging import Charging
from app.objects.intake.hashing import RunningHashes, begin_update, finished, updated
from app.objects.intake.memory import BufferPool, fill
from app.objects.intake.reading import read
from app.objects.intake.source import Source
from app.objects.segments import Unfinished
from storage.base import ObjectStore, new_key

SEGMENT: Final = 64 * 1024 * 1024
"""Bytes of a body after which what arrived is committed."""

Commit = Callable[[Unfinished, Tail, str | None], Awaitable[Unfinished]]
"""Commits a stored segment, as `segments.add` does; None instead of a key: it is the last."""

_START: Final = 4096  # bytes that are enough to see what an object is


@dataclass(frozen=True, slots=True)
class Resources:
    """What all appends of a process share."""

    database: Database
    store: ObjectStore
    buffers: BufferPool
    threads: ThreadPoolExecutor
    """These hash."""
    on_give_up: Callable[[], None]
    """Called when there is something to be swept."""
    hashes: RunningHashes = field(default_factory=RunningHashes)


class Append:
    """One body that is appended to an unfinished object."""

    def __init__(
        self, resources: Resources, held: Unfinished, kind: str, commit: Commit, announced: Digests
    ) -> None:
        self.ended = asyncio.Event()
        self.is_committed = False
        self.is_finishing = False
        self.broken: Exception | None = None
        """Why the body ended, if it broke off."""
        self._resources = resources
        self._kind = kind
        self._commit_segment = commit
        self._set(held)
        self._source: Source | None = None
        self._stopped: Exception | None = None
        self._announced = announced  # of the whole
        hashed, hashing = resources.hashes.find(self._object_id, held.size, announced)
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
        with self._resources.buffers.pair(size) as pair:
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
        return read(self._resources.store, self._with(tail))

    def settled(self) -> None:
        """Note that the object has become ready, and isn't to be given up."""
        self.is_committed = True
        self._resources.hashes.forget(self._object_id)

    def _set(self, held: Unfinished) -> None:
        self._held = held
        self._charging = Charging(self._resources.database, held.reservation)

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
                    await self._resources.database.write(segments.withdraw, self.held, before, now)
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
            threads = self._resources.threads
            async for chunk in fill(source.segment(SEGMENT), pair):
                await finished(*hashing)
                hashing = tuple(begin_update(threads, digest, chunk) for digest in hashes)
                size += len(chunk)
                yield chunk
            await finished(*hashing)

        if await source.has_more():
            try:
                async with aclosing(chunks()) as body:
                    await self._resources.store.put(self._held.reservation.key, body, size=None)
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
            self._resources.hashes.keep(self._object_id, self.size, hashing)

    async def _merge(self) -> None:
        resources, key = self._resources, self._held.reservation.key
        # what may have to be withdrawn isn't merged with what was there before
        kept = 0 if self._piece is None else len(self._before[0].segments)
        run = merging.due([segment.size for segment in self._held.segments[kept:]])
        if run is None:
            return
        run = slice(run.start + kept, run.stop + kept)
        copied = await merging.copy(
            resources.store, self._held.segments[run], key, resources.threads
        )
        following = new_key(self._kind)
        self._set(
            await resources.database.write(
                segments.merge, self.held, run, copied, following, clock.now()
            )
        )
        resources.on_give_up()

    async def _whole(self, stored: tuple[Segment, ...], size: int) -> Hashing:
        """Return the hashes of the whole object; what hasn't been hashed here is read for that."""
        hashes = self._resources.hashes
        hashed, hashing = size, self._tail_hashing
        if hashing is None:
            hashed, hashing = hashes.find(self._object_id, self.size, self._announced)
        async with aclosing(read(self._resources.store, stored, hashed)) as chunks:
            async for chunk in chunks:
                await updated(self._resources.threads, hashing, chunk)
                hashed += len(chunk)
                if hashed <= self.size:  # what comes after that may be sent anew, and differ
                    hashes.keep(self._object_id, hashed, hashing.copy())
        hashing.check()
        return hashing
