"""Caches of symbols, made in child processes after the upload."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import aiofiles.os
import structlog
from sqlalchemy import ColumnElement, Connection, func, select, update

from app import clock
from app.accounts import quota
from app.accounts.identity import Access, Identity
from app.accounts.tables import accounts
from app.database import Database
from app.errors import LeaseLost, NotFound, ObjectDamaged, ServiceUnavailable
from app.objects import lifecycle as objects
from app.objects.entities import Content, Received
from app.objects.reading import contents
from app.objects.reading.downloads import Downloads
from app.objects.scratch import Scratch, chunks_of
from app.objects.tables import objects as object_rows
from app.objects.uploads import Body, Uploads
from app.processes.pool import ChildFailed, ChildPool
from app.security.credentials import OwnWork
from app.symbols import child_calls, lookup
from app.symbols.entities import CACHE_KIND, NoSymbols
from app.symbols.tables import symbol_files, symbols
from app.tasks.supervisor import Task

CLAIM: Final = 20 * clock.MINUTE
"""How long a claim keeps other processes away: longer than a cache can take."""

MEMORY: Final = 2 * 1024**3
SECONDS: Final = 300.0
MAX_CACHE: Final = 2 * 1024**3
"""Limits on a child: bytes of memory, the time of a call, bytes of a cache."""

CHILD_MODULES: Final = ("app.symbols.child_calls", "app.symbols.reading")
"""The modules that child processes import."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Claimed:
    """Symbols without a cache, claimed by this process, with their account and their file."""

    id: int
    account: str
    number: int
    debug_id: str
    claimed_until: int
    content: Content


class SymbolCaches(Task):
    """Makes the caches of new symbols; those of which none can be made say why."""

    name = "symbol-caches"

    def __init__(
        self,
        database: Database,
        uploads: Uploads,
        downloads: Downloads,
        scratch: Scratch,
        children: ChildPool,
        *,
        on_ready: Callable[[], None],
    ) -> None:
        super().__init__()
        self._database = database
        self._uploads = uploads
        self._downloads = downloads
        self._scratch = scratch
        self._children = children
        self._on_ready = on_ready

    async def run_once(self, now: int) -> int:
        """Make one cache."""
        claimed = await self._database.write(claim, now)
        if claimed is None:
            return 0
        try:
            await self._make(claimed)
        except (NotFound, LeaseLost):  # just deleted, or another process has made it
            return 1
        except (NoSymbols, ChildFailed, ObjectDamaged) as error:
            log.warning("symbols can't be read", symbols=claimed.debug_id, reason=str(error))
            await self._database.write(fail, claimed, str(error))
        else:
            self._on_ready()
        return 1

    async def next_due(self, now: int) -> int | None:
        del now
        return await self._database.read(next_due)

    async def _make(self, claimed: Claimed) -> None:
        access = Access(self._database, OwnWork(claimed.account), None)
        async with (
            self._downloads.local_file(claimed.content) as file,
            self._scratch.file(_nothing()) as path,
        ):
            await self._write(claimed, file, path)
            size = (await aiofiles.os.stat(path)).st_size
            async with (
                aclosing(chunks_of(path)) as chunks,
                self._uploads.receive(
                    access,
                    Body(chunks, size),
                    kind=CACHE_KIND,
                    admit=_admit,
                    inline=False,
                    free=True,
                ) as received,
            ):
                await access.write(keep, claimed, received, clock.now())

    async def _write(self, claimed: Claimed, file: BinaryIO, path: Path) -> None:
        number, debug_id = claimed.number, claimed.debug_id
        out = await asyncio.to_thread(path.open, "wb")
        with out:
            try:
                await self._children.run(child_calls.make_cache, file, number, debug_id, out)
            except (NoSymbols, ChildFailed, ServiceUnavailable):
                raise
            except Exception as error:
                log.exception("making a cache of symbols failed", key=claimed.content.key)
                raise NoSymbols(f"reading it failed: {type(error).__name__}") from error


async def _nothing() -> AsyncGenerator[bytes, None]:
    return
    yield b""


def _admit(_connection: Connection, _identity: Identity) -> int:
    return 0  # slots


def claim(connection: Connection, now: int) -> Claimed | None:
    """Claim symbols of which no process has made a cache or is making one."""
    due = (
        select(symbols.c.id)
        .where(symbols.c.claimed_until <= now)
        .order_by(symbols.c.claimed_until, symbols.c.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    until = now + CLAIM
    taken = update(symbols).where(symbols.c.id.in_(due)).values(claimed_until=until)
    claimed_id = connection.execute(taken.returning(symbols.c.id)).scalar()
    if claimed_id is None:
        return None
    row = connection.execute(
        select(
            accounts.c.uuid,
            symbols.c.number,
            symbols.c.debug_id,
            *contents.content_columns(with_data=False),
        )
        .select_from(
            symbols.join(symbol_files, symbols.c.file_id == symbol_files.c.id)
            .join(object_rows, symbol_files.c.object_id == object_rows.c.id)
            .join(accounts, symbols.c.account_id == accounts.c.id)
        )
        .where(symbols.c.id == claimed_id)
    ).one()
    account, number, debug_id, *content = tuple(row)
    return Claimed(claimed_id, account, number, debug_id, until, contents.content_of(content))


def keep(
    connection: Connection, identity: Identity, claimed: Claimed, received: Received, now: int
) -> None:
    """Keep a cache; raises `LeaseLost` if the symbols are gone, or claimed by another process."""
    quota.lock_account(connection, identity.account_id)
    if connection.execute(select(symbols.c.id).where(_is_held(claimed))).first() is None:
        raise LeaseLost
    object_id = objects.settle(
        connection, identity, received, kind=CACHE_KIND, slots=0, now=now, free=True
    )
    connection.execute(
        update(symbols)
        .where(symbols.c.id == claimed.id)
        .values(object_id=object_id, state="ready", claimed_until=None)
    )
    lookup.schedule_rereading(connection, claimed.id, now)


def fail(connection: Connection, claimed: Claimed, reason: str) -> None:
    """Note why no cache can be made."""
    connection.execute(
        update(symbols)
        .where(_is_held(claimed))
        .values(state="failed", error=reason, claimed_until=None)
    )


def next_due(connection: Connection) -> int | None:
    """Return when the next cache is due to be made, in microseconds."""
    moment: int | None = connection.execute(select(func.min(symbols.c.claimed_until))).scalar()
    return moment


def _is_held(claimed: Claimed) -> ColumnElement[bool]:
    return (symbols.c.id == claimed.id) & (symbols.c.claimed_until == claimed.claimed_until)
