"""What the local-disk store does with files. All of it blocks and raises plain OSErrors."""

import errno
import fcntl
import os
import re
import stat
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from storage.base import ByteRange, ObjectInfo, is_key
from storage.disk import Disk
from storage.errors import ObjectNotFound

_O_DIRECT: int = getattr(os, "O_DIRECT", 0)
_BLOCK = 4096
_DIRECT_FROM = 1 << 20  # shorter writes gain more from the page cache
_SHARD_LEVELS = 2


class Tree:
    """One folder tree on one device, with the staging folder of that device."""

    def __init__(self, home: Path, reserve: int | None = 0) -> None:
        self.home = home
        self.disk = Disk(home, reserve)
        self.staging = home / ".staging"
        self._durable = {home}

    def prepare(self) -> None:
        _make_durable(self.home)
        _make_durable(self.staging)
        self.probe(os.O_CREAT)

    def probe(self, flags: int = 0) -> None:
        """See that the disk takes a write; a disk that is no longer mounted lacks the file."""
        fd = os.open(self.staging / "probe", os.O_WRONLY | flags, 0o600)
        try:
            os.pwrite(fd, b"\n", 0)
            os.fsync(fd)
        finally:
            os.close(fd)

    def require(self) -> None:
        """Raise `FileNotFoundError` when the disk isn't mounted, so that all seems missing."""
        self.staging.stat()

    def make(self, folder: Path) -> None:
        """Make a folder below home that survives a crash.

        That another put has made it says nothing about its being synced, so each process syncs
        each once.
        """
        if folder not in self._durable:
            self.make(folder.parent)
            folder.mkdir(0o700, exist_ok=True)
            _sync_folder(folder.parent)
            self._durable.add(folder)

    def forget(self) -> None:
        """Forget which folders there are."""
        self._durable = {self.home}


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object's file is, and where it is staged."""

    key: str
    tree: Tree
    target: Path
    staged: Path


class StagedFile:
    """An object's file while it is made. The methods block; one thread at a time calls them."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._path: Path | None = None
        self._fd: int | None = None
        self._size = 0
        self._direct = False
        self._may_be_direct = _O_DIRECT != 0

    def write(self, chunk: memoryview) -> None:
        """Append a chunk, its whole blocks past the page cache where memory and disk allow it."""
        fd = self._open()
        with self._place.tree.disk.taking(chunk.nbytes):
            self._append(fd, chunk)

    def _append(self, fd: int, chunk: memoryview) -> None:
        while chunk:
            blocks = chunk.nbytes - chunk.nbytes % _BLOCK
            direct = blocks >= _DIRECT_FROM and self._size % _BLOCK == 0
            try:
                self._switch(fd, direct=direct and self._may_be_direct)
                written = os.pwrite(fd, chunk[:blocks] if self._direct else chunk, self._size)
            except OSError as error:
                if error.errno != errno.EINVAL or not self._may_be_direct:
                    raise
                self._may_be_direct = False
                continue
            self._size += written
            chunk = chunk[written:]

    def finish(self, last: memoryview) -> None:
        """Append the last chunk and give the file its place, all of it safe from a crash."""
        self.write(last)
        os.fsync(self._open())
        self._close()
        target = self._place.target
        try:
            self._move(target)
        except FileNotFoundError:  # somebody clears empty folders away
            self._place.tree.forget()
            self._move(target)
        _sync_folder(target.parent)

    def discard(self) -> None:
        """Take the file away, wherever it is by now."""
        self._close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)
            _sync_folder(self._path.parent)

    def _move(self, target: Path) -> None:
        self._place.tree.make(target.parent)
        self._place.staged.rename(target)
        self._path = target

    def _open(self) -> int:
        if self._fd is None:
            path = self._place.staged
            self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            self._path = path
        return self._fd

    def _close(self) -> None:
        if self._fd is not None:
            fd, self._fd = self._fd, None
            os.close(fd)

    def _switch(self, fd: int, *, direct: bool) -> None:
        if direct != self._direct:
            flags = fcntl.fcntl(fd, fcntl.F_GETFL)
            fcntl.fcntl(fd, fcntl.F_SETFL, flags ^ _O_DIRECT)
            self._direct = direct


class ObjectFile:
    """An object's file while it is read. The methods block."""

    def __init__(self, place: Place) -> None:
        self.size = 0
        self.wanted = ByteRange(0, 0)
        self.data = b""
        self.is_open = False
        self._place = place
        self._fd = -1

    def open(self, byte_range: ByteRange | None, at_once: int) -> None:
        """Open the file; when no more than ``at_once`` bytes are wanted, read and close it."""
        try:
            self._fd = os.open(self._place.target, os.O_RDONLY)
        except FileNotFoundError:
            self._place.tree.require()
            raise ObjectNotFound(self._place.key) from None
        self.is_open = True
        self.size = os.fstat(self._fd).st_size
        self.wanted = byte_range or ByteRange(0, self.size)
        if not 0 <= self.wanted.start <= self.wanted.stop <= self.size:
            raise ValueError(f"{self.wanted} is not within {self.size} bytes")
        if self.wanted.length <= at_once:
            self.data = os.pread(self._fd, self.wanted.length, self.wanted.start)
            if len(self.data) == self.wanted.length:
                self.close()

    def read(self, offset: int, length: int) -> bytes:
        """Read up to ``length`` bytes, at least one; where there is none, the file was cut."""
        data = os.pread(self._fd, length, offset)
        if not data:
            raise OSError(errno.EIO, "the file is shorter than it was")
        return data

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            os.close(self._fd)


def stat_file(place: Place) -> ObjectInfo:
    """Tell an object's size and time; raises `ObjectNotFound`."""
    try:
        found = place.target.stat()
    except FileNotFoundError:
        place.tree.require()
        raise ObjectNotFound(place.key) from None
    return ObjectInfo(place.key, found.st_size, found.st_mtime_ns // 1000)


def remove_files(places: Iterable[Place]) -> None:
    """Remove objects and what interrupted puts of them left, so that a crash keeps them away."""
    changed: set[Path] = set()
    for place in places:
        found = [path.parent for path in (place.staged, place.target) if _unlink(path)]
        if not found:
            place.tree.require()
        changed.update(found)
    for folder in changed:
        _sync_folder(folder)


def staged_name(key: str) -> str:
    """Return what the file of an object is called while it is staged."""
    return f"{key.partition('/')[0]}-{key.rpartition('/')[2]}"


def staged_files(tree: Tree) -> list[ObjectInfo]:
    """Tell of the objects whose files are in the staging folder; few are at any time."""
    with os.scandir(tree.staging) as entries:
        return [info for entry in entries for info in _info(_staged_key(entry.name), entry)]


def _staged_key(name: str) -> str:
    kind, _, digits = name.partition("-")
    return f"{kind}/{digits[:1]}/{digits[1:2]}/{digits}"


def walk_trees(main: Tree, kinds: Mapping[str, Tree], prefix: str) -> Generator[ObjectInfo]:
    """Go through the objects whose key starts with ``prefix``, a folder at a time."""
    wanted = {kind: tree for kind, tree in kinds.items() if _leads_to(f"{kind}/", prefix)}
    for tree in (main, *wanted.values()):
        tree.require()
    with os.scandir(main.home) as entries:
        folders = {entry.name: Path(entry.path) for entry in entries if entry.is_dir()}
    folders |= {kind: tree.home for kind, tree in wanted.items()}
    for kind, folder in folders.items():
        stem = f"{kind}/"
        if re.fullmatch("[a-z]+", kind) and _leads_to(stem, prefix):
            yield from _objects(folder, stem, prefix, _SHARD_LEVELS)


def _objects(folder: Path, stem: str, prefix: str, levels: int) -> Generator[ObjectInfo]:
    with os.scandir(folder) as entries:
        for entry in entries:
            key = stem + entry.name
            if levels > 0:
                if len(entry.name) == 1 and _leads_to(f"{key}/", prefix) and entry.is_dir():
                    yield from _objects(folder / entry.name, f"{key}/", prefix, levels - 1)
            elif key.startswith(prefix):
                yield from _info(key, entry)


def _info(key: str, entry: os.DirEntry[str]) -> Generator[ObjectInfo]:
    if not is_key(key):
        return
    try:
        found = entry.stat(follow_symlinks=False)
    except FileNotFoundError:  # deleted meanwhile
        return
    if stat.S_ISREG(found.st_mode):
        yield ObjectInfo(key, found.st_size, found.st_mtime_ns // 1000)


def _leads_to(stem: str, prefix: str) -> bool:
    return stem.startswith(prefix) or prefix.startswith(stem)


def _unlink(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


def _make_durable(folder: Path) -> None:
    if not folder.is_dir():
        _make_durable(folder.parent)
        folder.mkdir(0o700, exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
