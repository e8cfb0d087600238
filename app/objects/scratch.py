"""Scratch space: temporary files, removed at the next start if their process died.

Several processes may share a data folder. Each has a folder of its own in it, which stays locked
as long as the process lives.
"""

import asyncio
import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import asynccontextmanager, closing, suppress
from functools import partial
from io import BufferedWriter, FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeVar

import aiofiles
import aiofiles.os
from aiofiles import threadpool

from storage.disk import Disk
from storage.errors import StoreFull

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

T = TypeVar("T")
AsyncFile = Any
"""A file of aiofiles, which has no types."""

_LOCK: Final = "lock"
_PIECE: Final = 1024 * 1024
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


class Scratch:
    """A folder for temporary files, of this process alone, which leave ``reserve`` bytes free.

    Making it blocks, removes what processes have left that are gone, and raises `OSError`.
    """

    def __init__(self, home: Path, *, reserve: int | None = 0) -> None:
        home = home.absolute()
        home.mkdir(mode=0o700, exist_ok=True)
        self._disk = Disk(home, reserve)
        with closing(_open_lock(home)) as turn:
            fcntl.flock(turn, fcntl.LOCK_EX)
            for folder in home.iterdir():
                _remove_abandoned(folder)
            self._folder = home / secrets.token_hex(8)
            self._folder.mkdir(mode=0o700)
            self._lock = _open_lock(self._folder)
            fcntl.flock(self._lock, fcntl.LOCK_EX)

    @asynccontextmanager
    async def file(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[Path]:
        """Create a file of these bytes, readable by this user only, for the context.

        Raises `StoreFull`, and the errors of ``chunks``.
        """
        path = self._folder / secrets.token_hex(8)
        try:
            await _write(path, chunks, self._disk)
            yield path
        finally:
            with suppress(FileNotFoundError):  # it may not have been made
                await _to_its_end(aiofiles.os.unlink(path))

    def close(self) -> None:
        """Remove the folder; what can't be removed now is at the next start."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._lock.close()


@asynccontextmanager
async def opened(opening: Awaitable[AsyncFile]) -> AsyncIterator[AsyncFile]:
    """Close a file after the context, also if that was cancelled while it was being opened."""
    file = asyncio.ensure_future(opening)
    try:
        yield await _to_its_end(file)
    finally:
        if file.exception() is None:
            await _to_its_end(file.result().close())


async def chunks_of(path: Path) -> AsyncGenerator[bytes, None]:
    """Yield the bytes of a file, in pieces."""
    async with opened(aiofiles.open(path, "rb")) as file:
        while chunk := await file.read(_PIECE):
            yield chunk


async def _write(path: Path, chunks: AsyncIterator[bytes], disk: Disk) -> None:
    try:
        async with opened(_create(path, disk)) as file:
            async for chunk in chunks:
                await file.write(chunk)
    except OSError as error:
        if error.errno in _FULL:
            raise StoreFull(f"no room for temporary files: {error.strerror}") from error
        raise


async def _create(path: Path, disk: Disk) -> AsyncFile:
    return threadpool.wrap(await asyncio.to_thread(_Copy, path, disk))


class _Copy(BufferedWriter):
    """A new file, readable by this user only; what is being written to it has room on its disk."""

    def __init__(self, path: Path, disk: Disk) -> None:
        super().__init__(FileIO(path, "x", opener=partial(os.open, mode=0o600)))
        self._disk = disk

    def write(self, data: "ReadableBuffer", /) -> int:
        with self._disk.taking(memoryview(data).nbytes):
            return super().write(data)


async def _to_its_end(work: Awaitable[T]) -> T:
    """Await the work of a thread to its end, however often cancelled, so that nothing overlaps."""
    running = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not running.done():
        try:
            await asyncio.wait([running])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        running.exception()  # the cancellation matters more
        raise cancelled
    return running.result()


def _open_lock(folder: Path) -> BinaryIO:
    return (folder / _LOCK).open("ab")


def _remove_abandoned(folder: Path) -> None:
    with suppress(NotADirectoryError, FileNotFoundError), closing(_open_lock(folder)) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        shutil.rmtree(folder, ignore_errors=True)
