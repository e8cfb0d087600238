"""Symbols: what an account, or the build of an application, may do with them."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Final, TypeVar, TypeVarTuple

import aiofiles.os

from app import clock
from app.accounts.identity import Access
from app.config import Settings
from app.database.pagination import Page
from app.errors import ContentTooLarge, InvalidRequest
from app.objects.digests import Hashing
from app.objects.entities import Received
from app.objects.file_names import file_name
from app.objects.intake.gzip import limited
from app.objects.reading.downloads import Downloads
from app.objects.scratch import Scratch, chunks_of
from app.objects.uploads import Body, Uploads
from app.processes.pool import ChildFailed, ChildPool
from app.symbols import child_calls, rows, zip_files
from app.symbols.caching import SymbolCaches
from app.symbols.entities import KIND, FileIdentity, Filters, NewFile, NoSymbols, Symbols, Wanted
from app.symbols.upload_keys import UploadKeys

_ZIP: Final = b"PK\x03\x04"

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


def kept_unused(settings: Settings) -> int | None:
    """Return how long symbols live that no report uses, in microseconds; None: for ever."""
    days = settings.symbols_kept_unused
    return None if days is None else days * 24 * 60 * clock.MINUTE


class SymbolFiles:
    """Receives, lists and deletes the symbols of an account."""

    def __init__(
        self,
        settings: Settings,
        uploads: Uploads,
        downloads: Downloads,
        scratch: Scratch,
        children: ChildPool,
        caches: SymbolCaches,
        upload_keys: UploadKeys,
        *,
        wake_sweep: Callable[[], None],
    ) -> None:
        self.caches = caches
        self.upload_keys = upload_keys
        self._limit = settings.max_symbol_bytes
        self._kept_for = kept_unused(settings)
        self._uploads = uploads
        self._downloads = downloads
        self._scratch = scratch
        self._children = children
        self._wake_sweep = wake_sweep

    async def create(self, access: Access, name: str, body: Body) -> Sequence[Symbols]:
        """Create symbols of a file, or of those in a ZIP, where others are left out.

        Symbols that are there already stay as they are, and are returned. Raises `InvalidRequest`
        for a body without symbols.
        """
        if (body.size or 0) > self._limit:
            raise ContentTooLarge(f"A symbol file may have up to {self._limit} bytes")
        await access.check()
        start, chunks = await _begun(limited(body.chunks, self._limit), len(_ZIP))
        body = replace(body, chunks=chunks)
        async with AsyncExitStack() as stack:
            if start == _ZIP:
                files = [new async for new in self._of_zip(stack, access, body)]
            else:
                files = [await self._receive_file(stack, access, name, body)]
            if not files:
                raise InvalidRequest("No file in the ZIP has symbols")
            made = await access.write(rows.create, files, self._kept_for, clock.now())
        self.caches.wake()
        return made

    async def find(self, access: Access, uuid: str) -> Symbols:
        """Return symbols, whose file is ready to be read; raises `NotFound`."""
        return await access.read(rows.find, uuid, clock.now())

    async def page(
        self, access: Access, filters: Filters, limit: int, cursor: str | None
    ) -> Page[Symbols]:
        """Return a page of symbols, newest first."""
        return await access.read(rows.page, filters, limit, cursor, clock.now())

    async def newest(self, access: Access, debug_id: str) -> int | None:
        """Return when the newest symbols of a debug id came, in microseconds; None: none did."""
        return await access.read(rows.newest, debug_id, clock.now())

    async def find_wanted(self, access: Access, wanted: Wanted) -> Symbols:
        """Return what a debugger asks for; raises `NotFound`."""
        return await access.read(rows.find_wanted, wanted, clock.now())

    async def remove(self, access: Access, uuid: str) -> None:
        """Delete symbols, and their file with the last of them; raises `NotFound`."""
        await access.write(rows.remove, uuid, clock.now())
        self._wake_sweep()

    async def _receive_file(
        self, stack: AsyncExitStack, access: Access, name: str, body: Body
    ) -> NewFile:
        received = await self._receive(stack, access, body)
        async with self._downloads.local_file(received.content(clock.now())) as file:
            found = await self._run(child_calls.identify, file)
        return NewFile(name, found, received)

    async def _of_zip(
        self, stack: AsyncExitStack, access: Access, body: Body
    ) -> AsyncGenerator[NewFile, None]:
        """Yield the symbol files of a ZIP, received; their bytes altogether are limited."""
        left = self._limit
        async with self._scratch.file(_checked(body)) as path:
            async with _opened(path) as file:
                entries = await self._run(child_calls.zip_directory, file)
            for entry in entries:
                unpacked = limited(zip_files.unpack(path, entry), left)
                async with self._scratch.file(unpacked) as unzipped:
                    size = (await aiofiles.os.stat(unzipped)).st_size
                    left -= size
                    if found := await self._identities(unzipped):
                        async with aclosing(chunks_of(unzipped)) as chunks:
                            received = await self._receive(stack, access, Body(chunks, size))
                        yield NewFile(_name(entry.name), found, received)

    async def _receive(self, stack: AsyncExitStack, access: Access, body: Body) -> Received:
        receiving = self._uploads.receive(access, body, kind=KIND, admit=rows.admit, inline=False)
        return await stack.enter_async_context(receiving)

    async def _identities(self, path: Path) -> Sequence[FileIdentity]:
        """Return what is in a file of a ZIP; nothing if it is no symbol file."""
        async with _opened(path) as file:
            try:
                return await self._children.run(child_calls.identify, file)
            except (NoSymbols, ChildFailed):
                return ()

    async def _run(self, fn: Callable[[*Ts], T], *args: *Ts) -> T:
        try:
            return await self._children.run(fn, *args)
        except NoSymbols as error:
            raise InvalidRequest(f"The file has no symbols: {error}") from None
        except ChildFailed as error:
            raise InvalidRequest(f"The file can't be read: {error.reason}") from error


def _name(path: str) -> str:
    try:
        return file_name(path)
    except ValueError:
        return "symbols"


async def _begun(chunks: AsyncIterator[bytes], enough: int) -> tuple[bytes, AsyncIterator[bytes]]:
    """Return how a body starts, and all of its chunks."""
    read: list[bytes] = []
    size = 0
    async for chunk in chunks:
        read.append(chunk)
        size += len(chunk)
        if size >= enough:
            break

    async def whole() -> AsyncIterator[bytes]:
        for chunk in read:
            yield chunk
        async for chunk in chunks:
            yield chunk

    return b"".join(read)[:enough], whole()


async def _checked(body: Body) -> AsyncIterator[bytes]:
    """Yield a body whose digest is checked at its end; raises `DigestMismatch`."""
    hashing = Hashing(body.digests)
    async for chunk in body.chunks:
        await asyncio.to_thread(hashing.update, chunk)
        yield chunk
    hashing.check()


@asynccontextmanager
async def _opened(path: Path) -> AsyncIterator[BinaryIO]:
    file = await asyncio.to_thread(path.open, "rb")
    try:
        yield file
    finally:
        file.close()
