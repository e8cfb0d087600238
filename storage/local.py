"""The store on a local disk: files, staged beside their folder, synced, renamed into place."""

import asyncio
import errno
import itertools
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import TypeVar, TypeVarTuple

from storage.base import ByteRange, ObjectInfo, ObjectReader, ObjectStore, is_key
from storage.errors import StorageError, StoreFull, StoreUnavailable
from storage.local_files import (
    ObjectFile,
    Place,
    StagedFile,
    Tree,
    remove_files,
    staged_files,
    staged_name,
    stat_file,
    walk_trees,
)

_READ_CHUNK = 1 << 20
_HELD_BELOW = 1 << 20  # a shorter first chunk may be the only one: then one thread hop does all
_LIST_BATCH = 512

_T = TypeVar("_T")
_Ts = TypeVarTuple("_Ts")


class LocalStore(ObjectStore):
    """Keeps objects as files ``<root>/<kind>/<a>/<b>/<hex>``, readable by this user only.

    ``kinds`` gives a kind a folder of its own, ``<folder>/<a>/<b>/<hex>``, maybe on another
    device. What is put leaves ``reserve`` bytes of a device free, see `Disk`. Making a store blocks
    and raises `OSError` when its folders can't be made or written; and, before it makes any,
    `FileNotFoundError` when an object of ``required`` isn't there.
    """

    def __init__(
        self,
        root: Path,
        *,
        kinds: Mapping[str, Path] | None = None,
        required: Sequence[str] = (),
        reserve: int | None = 0,
        threads: int = 16,
    ) -> None:
        self._main = Tree(root.absolute(), reserve)
        self._kinds = {kind: Tree(home.absolute(), reserve) for kind, home in (kinds or {}).items()}
        for key in required:
            self.local_path(key).stat()
        for tree in self._trees():
            tree.prepare()
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="local-store")

    def local_path(self, key: str) -> Path:
        """Return where the object's file is, if it exists; complete files only."""
        return self._place(key).target

    async def put(
        self, key: str, body: AsyncIterable[bytes | memoryview], *, size: int | None
    ) -> None:
        place = self._place(key)
        if size is not None and size > _HELD_BELOW:  # of what finds no room, nothing is read
            await self._run(place.tree.disk.require, size)
        staged = StagedFile(place)
        try:
            last = await self._receive(staged, body, size)
            await self._run(staged.finish, last)
        except BaseException as error:
            try:
                await self._run(staged.discard)
            except StorageError as failure:
                error.add_note(f"its file may be left behind: {failure}")
            raise

    async def _receive(
        self, staged: StagedFile, body: AsyncIterable[bytes | memoryview], size: int | None
    ) -> memoryview:
        """Write the body, each chunk while the next is asked for; return what is left to write."""
        held = memoryview(b"")
        writing: asyncio.Future[None] | None = None
        received = 0
        try:
            async for chunk in body:
                view = memoryview(chunk).cast("B")
                first = received == 0
                received += view.nbytes
                _require_at_most(size, received)
                if first and view.nbytes < _HELD_BELOW:
                    held = view
                    continue
                if held:
                    writing = self._start(staged.write, held)
                    held = memoryview(b"")
                if writing is not None:
                    await _ended(writing)
                writing = self._start(staged.write, view)
        except BaseException:
            if writing is not None:
                with suppress(StorageError):  # what went wrong first is what the caller hears
                    await _ended(writing)
            raise
        if writing is not None:
            await _ended(writing)
        if size is not None and received < size:
            raise ValueError(f"the body ended after {received} of the {size} bytes announced")
        return held

    @asynccontextmanager
    async def open(
        self, key: str, byte_range: ByteRange | None = None
    ) -> AsyncIterator[ObjectReader]:
        file = ObjectFile(self._place(key))
        try:
            await self._run(file.open, byte_range, _READ_CHUNK)
            yield _FileReader(self, file)
        finally:
            if file.is_open:
                await self._run(file.close)

    async def stat(self, key: str) -> ObjectInfo:
        return await self._run(stat_file, self._place(key))

    async def delete(self, keys: Sequence[str]) -> None:
        await self._run(remove_files, [self._place(key) for key in keys])

    async def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        with closing(walk_trees(self._main, self._kinds, prefix)) as walk:
            while batch := await self._run(_take, walk):
                for info in batch:
                    yield info

    async def unfinished(self) -> AsyncIterator[ObjectInfo]:
        for tree in self._trees():
            for info in await self._run(staged_files, tree):
                yield info

    async def ping(self) -> None:
        for tree in self._trees():
            with suppress(StoreFull):  # a full disk still serves what it has
                await self._run(tree.probe)

    async def aclose(self) -> None:
        await asyncio.to_thread(self._executor.shutdown)

    def _trees(self) -> Iterator[Tree]:
        return iter((self._main, *self._kinds.values()))

    def _place(self, key: str) -> Place:
        if not is_key(key):
            raise ValueError(f"not a key: {key!r}")
        kind, _, rest = key.partition("/")
        name = staged_name(key)
        if (tree := self._kinds.get(kind)) is not None:
            return Place(key, tree, tree.home / rest, tree.staging / name)
        return Place(key, self._main, self._main.home / key, self._main.staging / name)

    def _start(self, work: Callable[[*_Ts], _T], *args: *_Ts) -> asyncio.Future[_T]:
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._executor, _answer, work, *args)

    async def _run(self, work: Callable[[*_Ts], _T], *args: *_Ts) -> _T:
        """Do ``work`` in a thread; OSErrors come out as `StoreFull` or `StoreUnavailable`."""
        return await _ended(self._start(work, *args))


class _FileReader(ObjectReader):
    def __init__(self, store: LocalStore, file: ObjectFile) -> None:
        self.size = file.size
        self._store = store
        self._file = file

    async def __aiter__(self) -> AsyncIterator[bytes]:
        file = self._file
        offset = file.wanted.start + len(file.data)
        if file.data:
            yield file.data
        while offset < file.wanted.stop:
            length = min(_READ_CHUNK, file.wanted.stop - offset)
            data = await self._store._run(file.read, offset, length)
            offset += len(data)
            yield data


def _require_at_most(size: int | None, received: int) -> None:
    if size is not None and received > size:
        raise ValueError(f"the body is longer than the {size} bytes announced")


def _take(walk: Iterator[ObjectInfo]) -> Sequence[ObjectInfo]:
    return [*itertools.islice(walk, _LIST_BATCH)]


async def _ended(work: asyncio.Future[_T]) -> _T:
    """Wait for the end of a thread's work, cancelled or not: only then may its file be closed."""
    cancelled: asyncio.CancelledError | None = None
    while not work.done():
        try:
            await asyncio.wait((work,))
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        work.exception()
        raise cancelled
    return work.result()


def _answer(work: Callable[[*_Ts], _T], *args: *_Ts) -> _T:
    try:
        return work(*args)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFull("the disk is full") from error
        raise StoreUnavailable(f"the disk does not answer: {error.strerror}") from error
