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
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import BinaryIO, Final, TypeVarTuple

from storage.disk import Disk
from storage.errors import StoreFull

Ts = TypeVarTuple("Ts")

_LOCK: Final = "lock"
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
            await _in_thread(path.unlink, True)  # noqa: FBT003 - it may not have been made

    def close(self) -> None:
        """Remove the folder; what can't be removed now is at the next start."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._lock.close()


async def _write(path: Path, chunks: AsyncIterator[bytes], disk: Disk) -> None:
    copy = _Copy(disk)
    try:
        await _in_thread(copy.create, path)
        async for chunk in chunks:
            await _in_thread(copy.write, chunk)
        await _in_thread(copy.close)
    except OSError as error:
        if error.errno in _FULL:
            raise StoreFull(f"no room for temporary files: {error.strerror}") from error
        raise
    finally:
        await _in_thread(copy.close)


class _Copy:
    """A file that is being written; its methods block, and `close` is idempotent."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._file: BinaryIO | None = None

    def create(self, path: Path) -> None:
        self._file = os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")

    def write(self, chunk: bytes) -> None:
        assert self._file is not None
        with self._disk.taking(len(chunk)):
            self._file.write(chunk)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()


async def _in_thread(fn: Callable[[*Ts], None], *args: *Ts) -> None:
    """Run a blocking call in a thread, to its end even if cancelled, so that nothing overlaps."""
    running = asyncio.ensure_future(asyncio.to_thread(fn, *args))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        running.exception()  # the cancellation matters more
        raise


def _open_lock(folder: Path) -> BinaryIO:
    return (folder / _LOCK).open("ab")


def _remove_abandoned(folder: Path) -> None:
    with suppress(NotADirectoryError, FileNotFoundError), closing(_open_lock(folder)) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        shutil.rmtree(folder, ignore_errors=True)
