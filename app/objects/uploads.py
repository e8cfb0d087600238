"""Uploads: small bodies are received into memory, others into the store under a reservation."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final, Self, TypeVar

import structlog
from sqlalchemy import Connection

from app import clock
from app.accounts.identity import Access, Identity
from app.accounts.quota import lock_account
from app.database import Database
from app.objects import lifecycle as objects
from app.objects.digests import NONE, Digests, Hashing
from app.objects.entities import OnSettle, Received, Reservation
from app.objects.intake.append import Resources
from app.objects.intake.appends import Appends
from app.objects.intake.counted import Intake, too_large
from app.objects.intake.memory import BufferPool
from storage.base import ObjectStore, new_key

Admit = Callable[[Connection, Identity], int]
"""Returns the slots that a body will take; raises the problem if it may not be sent at all."""

T = TypeVar("T")
Describe = Callable[[], Awaitable[T]]
"""Reads what follows a body in its form, and returns what is to be made of it all."""

Arrived = Callable[[AsyncIterator[bytes]], Awaitable[Received]]
"""Returns a body that is in the store, given its chunks to see how it starts."""

_AHEAD: Final = 256 * 1024  # bytes read ahead of a body of unknown length, to see whether it ends

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Body:
    """A body that is about to arrive; ``size`` and ``digests`` where they were announced."""

    chunks: AsyncIterator[bytes]
    size: int | None = None
    digests: Digests = NONE
    encoding: str | None = None
    """Its content coding, which is kept with it."""
    at_least: int = 0
    """A lower bound of its size, where that isn't announced."""
    arrived: Arrived | None = None
    """Set if all of it is in the store already; then ``chunks`` read it from there."""
    on_settle: OnSettle | None = None

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Make a body of bytes that are in memory."""
        return cls(_chain([data]), len(data))


class Uploads:
    """Receives every body that becomes an object."""

    def __init__(
        self,
        database: Database,
        store: ObjectStore,
        *,
        inline_max: int,
        on_give_up: Callable[[], None],
        workers: int = 1,
    ) -> None:
        """``workers`` share the memory for buffers."""
        self._database = database
        self._store = store
        self._inline_max = inline_max
        self._on_give_up = on_give_up
        self._buffers = BufferPool(workers)
        self._hashing = ThreadPoolExecutor(4, thread_name_prefix="hash")
        self.appends = Appends(Resources(database, store, self._buffers, self._hashing, on_give_up))
        self._running: set[int] = set()  # pending objects of this process
        self._idle = asyncio.Event()
        self._idle.set()

    @asynccontextmanager
    async def receive(
        self,
        access: Access,
        body: Body,
        *,
        kind: str,
        admit: Admit,
        inline: bool = True,
        free: bool = False,
    ) -> AsyncIterator[Received]:
        """Receive a body, which must be committed by `objects.settle` within the context.

        It is charged for as it arrives, unless it is ``free``. An exception gives up the upload.
        Raises `ContentTooLarge`, `QuotaExceeded`, `DigestMismatch`, the store's errors and the
        body's own.
        """
        if body.arrived is not None:
            await access.read(_check, admit, body.size or 0, free=free)
            received = await body.arrived(body.chunks)
            yield replace(received, encoding=body.encoding, on_settle=body.on_settle)
            return
        if body.size is None:
            # don't read what will be refused
            await access.read(_check, admit, body.at_least, free=free)
            body = await _measured(body, max(_AHEAD, self._inline_max))
        if inline and body.size is not None and body.size <= self._inline_max:
            yield replace(await self._receive_small(body), on_settle=body.on_settle)
            return
        reservation, limit = await access.write(
            _reserve, admit, kind=kind, size=body.size, free=free, now=clock.now()
        )
        self._running.add(reservation.object_id)
        self._idle.clear()
        hashing = Hashing(body.digests)
        intake = Intake(self._database, reservation, limit, hashing, self._hashing)
        try:
            yield replace(await self._receive_large(intake, body), on_settle=body.on_settle)
        except BaseException:
            await self._give_up(reservation)
            raise
        finally:
            self._running.discard(reservation.object_id)
            if not self._running:
                self._idle.set()

    def small(self, data: bytes) -> Received | None:
        """Return bytes as received, if they are so few that they are kept in the database."""
        return _small(data) if len(data) <= self._inline_max else None

    @asynccontextmanager
    async def receive_all(
        self,
        access: Access,
        sent: AsyncGenerator[tuple[T, Body], None],
        *,
        kind: str,
        admission: Callable[[T], Admit],
    ) -> AsyncIterator[list[tuple[T, Received]]]:
        """Receive bodies one after the other, each with what it is to be; all as by `receive`.

        ``admission`` returns what says whether one may be sent.
        """
        arrived = []
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(aclosing(sent))
            async for new, body in sent:
                receiving = self.receive(access, body, kind=kind, admit=admission(new))
                arrived.append((new, await stack.enter_async_context(receiving)))
            yield arrived

    async def renew_leases(self, now: int) -> int:
        """Renew the leases of this process's uploads; returns how many there are."""
        if running := list(self._running):
            await self._database.write(objects.renew, running, now)
        return len(running)

    async def aclose(self) -> None:
        """Wait until the uploads in progress, which have been cancelled, have cleaned up."""
        await self._idle.wait()
        await self.appends.aclose()
        self._hashing.shutdown()

    async def _receive_small(self, body: Body) -> Received:
        data = b"".join([chunk async for chunk in body.chunks])
        return _small(data, body.digests, body.encoding)

    async def _receive_large(self, intake: Intake, body: Body) -> Received:
        with self._buffers.pair(body.size) as pair:
            try:
                async with aclosing(intake.chunks(body.chunks, pair)) as chunks:
                    await self._store.put(intake.charging.reservation.key, chunks, size=body.size)
            finally:
                await intake.finish_hashing()
            digest, crc32 = intake.hashing.sha256(), intake.hashing.crc32
            reservation = intake.charging.reservation
            return Received(intake.size, digest, reservation, None, body.encoding, crc32=crc32)

    async def _give_up(self, reservation: Reservation) -> None:
        try:
            await self._database.write(objects.give_up, reservation, clock.now())
        except Exception:
            # its lease ends by itself, and then a sweep does the same
            log.exception("could not give up an upload at once", key=reservation.key)
        self._on_give_up()


def _small(data: bytes, announced: Digests = NONE, encoding: str | None = None) -> Received:
    hashing = Hashing(announced)
    hashing.update(data)
    hashing.check()
    digest, crc32 = hashing.sha256(), hashing.crc32
    return Received(len(data), digest, None, data, encoding, crc32=crc32)


async def _measured(body: Body, enough: int) -> Body:
    """Read ahead in a body of unknown length, whose size is known if it ends early."""
    ahead: list[bytes] = []
    size = 0
    async for chunk in body.chunks:
        ahead.append(chunk)
        size += len(chunk)
        if size > enough:
            return replace(body, chunks=_chain(ahead, body.chunks))
    return replace(body, chunks=_chain(ahead), size=size)


async def _chain(
    ahead: list[bytes], chunks: AsyncIterator[bytes] | None = None
) -> AsyncIterator[bytes]:
    for chunk in ahead:
        yield chunk
    ahead.clear()
    if chunks is not None:
        async for chunk in chunks:
            yield chunk


def _check(
    connection: Connection, identity: Identity, admit: Admit, at_least: int, *, free: bool
) -> int:
    """Return the slots of a body of so many bytes or more; raises what refuses it."""
    limit = None if free else identity.tier.max_object_bytes
    if limit is not None and at_least > limit:
        raise too_large(limit)
    return admit(connection, identity)


def _reserve(
    connection: Connection,
    identity: Identity,
    admit: Admit,
    *,
    kind: str,
    size: int | None,
    free: bool,
    now: int,
) -> tuple[Reservation, int | None]:
    if identity.giver is not None:  # claims of an inbox are counted one after the other
        lock_account(connection, identity.account_id)
    slots = _check(connection, identity, admit, size or 0, free=free)
    reservation = objects.reserve(
        connection,
        identity,
        kind=kind,
        key=new_key(kind),
        size=0 if free or size is None else size,
        slots=slots,
        now=now,
        free=free,
    )
    return reservation, None if free else identity.tier.max_object_bytes
