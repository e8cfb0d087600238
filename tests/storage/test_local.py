"""The local-disk store: the conformance suite, and what only files can get wrong."""

import asyncio
import fcntl
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from storage.base import ByteRange, ObjectStore, is_key, new_key
from storage.conformance import StoreConformance
from storage.conformance.bodies import CancelledAt, TwoBuffers, chunked, content, read
from storage.conformance.hooks import CHUNK, MIB, fetch, make
from storage.errors import StoreUnavailable
from storage.local import LocalStore
from storage.local_files import Tree, walk_trees
from tests.storage.faults import PROJECT, killed_put

pytestmark = pytest.mark.anyio


def files(root: Path) -> dict[str, Path]:
    """Return every file below a store's root but its probe, by its path from there."""
    paths = [Path(folder, name) for folder, _, names in os.walk(root) for name in names]
    found = {path.relative_to(root).as_posix(): path for path in paths}
    found.pop(".staging/probe")
    return found


class TestLocalStore(StoreConformance):
    many = 300  # a list has no pages
    examples = 6

    @pytest.fixture(autouse=True)
    def _root(self, tmp_path: Path) -> None:
        self.root = tmp_path / "deep" / "objects"

    async def connect(self) -> ObjectStore:
        return LocalStore(self.root)

    async def raw_objects(self) -> dict[str, bytes]:
        return {name: path.read_bytes() for name, path in files(self.root).items() if is_key(name)}

    async def residue(self) -> list[str]:
        return [name for name in files(self.root) if not is_key(name)]

    async def leave_unfinished(self, key: str) -> None:
        kind, _, _, name = key.split("/")
        (self.root / ".staging" / f"{kind}-{name}").write_bytes(b"half")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[LocalStore]:
    store = LocalStore(tmp_path / "objects")
    yield store
    await store.aclose()


async def test_a_kind_can_have_a_folder_of_its_own(tmp_path: Path) -> None:
    root, dumps = tmp_path / "objects", tmp_path / "elsewhere"
    store = LocalStore(root, kinds={"dumps": dumps})
    blob, _ = await make(store, 5)
    dump, data = await make(store, 3 * MIB, kind="dumps")
    assert [*files(root)] == [blob]
    assert [*files(dumps)] == [dump.removeprefix("dumps/")]
    assert store.local_path(dump) == dumps / dump.removeprefix("dumps/")
    assert store.local_path(dump).read_bytes() == await fetch(store, dump) == data
    (root / "dumps").mkdir()
    for prefix, wanted in (("", {blob, dump}), ("dumps/", {dump}), ("b", {blob})):
        assert {info.key async for info in store.list(prefix)} == wanted
    staged = dumps / ".staging" / f"dumps-{dump[-32:]}"
    staged.write_bytes(b"left by a killed put")
    await store.delete([dump])
    assert files(dumps) == {}
    await store.aclose()


async def test_files_and_folders_are_their_owners_alone(store: LocalStore, tmp_path: Path) -> None:
    key, _ = await make(store, 5)
    path = store.local_path(key)
    assert path.stat().st_mode & 0o777 == 0o600
    folders = [*path.parents][: path.parents.index(tmp_path)]
    assert len(folders) == 4
    for folder in [*folders, folders[-1] / ".staging"]:
        assert folder.stat().st_mode & 0o777 == 0o700


async def test_what_is_no_key_never_becomes_a_path(store: LocalStore) -> None:
    bad = f"../0/1/{'01' * 16}"
    with pytest.raises(ValueError, match="not a key"):
        await store.put(bad, chunked(b"x", 1), size=1)
    with pytest.raises(ValueError, match="not a key"):
        await store.delete([bad])
    with pytest.raises(ValueError, match="not a key"):
        store.local_path(bad)


async def test_strange_files_are_not_listed(store: LocalStore) -> None:
    key, _ = await make(store, 5)
    folder = store.local_path(key).parent
    (folder / "notes.txt").write_bytes(b"x")
    (folder / ("f" * 32)).write_bytes(b"x")
    (folder / ("0" * 32)).mkdir()
    (folder.parent / "lost+found").mkdir()
    assert [info.key async for info in store.list()] == [key]


async def test_a_list_skips_what_is_deleted_while_it_is_made(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    key = new_key("blobs")
    for digit in "0123456789":
        await store.put(key[:-1] + digit, chunked(b"x", 1), size=1)
    walk = walk_trees(Tree(tmp_path), {}, "")
    first = next(walk)
    await store.delete([f"{key[:-1]}{digit}" for digit in "0123456789"])
    assert [first.key, *(info.key for info in walk)] == [first.key]
    await store.aclose()


async def test_a_full_disk_is_still_ready(store: LocalStore, tmp_path: Path) -> None:
    probe = tmp_path / "objects" / ".staging" / "probe"
    probe.unlink()
    with pytest.raises(StoreUnavailable):
        await store.ping()
    probe.symlink_to("/dev/full")
    await store.ping()


@pytest.mark.parametrize("mount_point_stays", [True, False])
async def test_a_disk_that_went_away_is_not_an_empty_store(
    store: LocalStore, tmp_path: Path, mount_point_stays: bool
) -> None:
    key, _ = await make(store, 5)
    (tmp_path / "objects").rename(tmp_path / "unmounted")
    if mount_point_stays:
        (tmp_path / "objects").mkdir()
    for verb in (store.stat(key), store.delete([key]), store.ping(), make(store, 5)):
        with pytest.raises(StoreUnavailable):
            await verb
    with pytest.raises(StoreUnavailable):
        await fetch(store, key)
    with pytest.raises(StoreUnavailable):
        assert [info async for info in store.list()]
    if mount_point_stays:
        (tmp_path / "objects").rmdir()
    assert not (tmp_path / "objects").exists()
    (tmp_path / "unmounted").rename(tmp_path / "objects")
    assert await fetch(store, key)


@pytest.mark.parametrize("missing", ["blobs", "dumps"])
async def test_what_must_be_there_is_looked_for_before_anything_is_made(
    tmp_path: Path, missing: str
) -> None:
    """The folder of a disk that isn't mounted stays as it is, for the disk to be mounted on."""
    roots = {"blobs": tmp_path / "objects", "dumps": tmp_path / "dumps"}

    def opened(*required: str) -> LocalStore:
        return LocalStore(roots["blobs"], kinds={"dumps": roots["dumps"]}, required=required)

    store = opened()
    keys = [(await make(store, 5, kind=kind))[0] for kind in ("blobs", "dumps")]
    await store.aclose()
    roots[missing].rename(tmp_path / "unmounted")
    roots[missing].mkdir()
    with pytest.raises(FileNotFoundError):
        opened(*keys)
    assert [*roots[missing].iterdir()] == []
    roots[missing].rmdir()
    (tmp_path / "unmounted").rename(roots[missing])
    shutil.rmtree(roots[missing] / ".staging")  # as a copy may lack it
    store = opened(*keys)
    assert {info.key async for info in store.list()} == set(keys)
    await store.ping()
    await store.aclose()


async def test_a_folder_that_is_cleared_away_comes_back(store: LocalStore) -> None:
    key, _ = await make(store, 5)
    await store.delete([key])
    folder = store.local_path(key).parent
    folder.rmdir()
    again = f"{key[:-1]}{'1' if key[-1] == '0' else '0'}"
    await store.put(again, chunked(b"abc", 3), size=3)
    assert await fetch(store, again) == b"abc"


@pytest.mark.parametrize("cut", [3 * MIB, 100])
async def test_a_file_that_was_cut_is_an_error(store: LocalStore, cut: int) -> None:
    key, _ = await make(store, 5 * MIB)
    with pytest.raises(StoreUnavailable):  # noqa: PT012
        async with store.open(key) as reader:
            os.truncate(store.local_path(key), cut)
            await read(reader)


async def test_aligned_chunks_go_past_the_page_cache(store: LocalStore, tmp_path: Path) -> None:
    if not supports_direct(tmp_path):
        pytest.skip("this file system has no O_DIRECT")
    data = content(3 * CHUNK + 4097)
    seen: list[bool] = []

    async def body() -> AsyncGenerator[memoryview]:
        async for chunk in TwoBuffers(data, CHUNK):
            yield chunk
            seen.append(staged_is_direct(tmp_path / "objects" / ".staging"))

    key = new_key("blobs")
    await store.put(key, body(), size=None)
    assert True in seen
    assert store.local_path(key).read_bytes() == data


async def test_unaligned_chunks_are_stored_all_the_same(store: LocalStore) -> None:
    data = content(5 * CHUNK + 13)
    spare = memoryview(bytearray(b"x" * 7 + data))[7:]

    async def body() -> AsyncGenerator[memoryview]:
        for start, stop in (
            (0, CHUNK),
            (CHUNK, CHUNK + 5),
            (CHUNK + 5, 3 * CHUNK),
            (3 * CHUNK, None),
        ):
            yield spare[start:stop]

    key = new_key("blobs")
    await store.put(key, body(), size=len(data))
    assert store.local_path(key).read_bytes() == data


async def test_a_small_put_takes_one_thread_hop(store: LocalStore) -> None:
    async def body() -> AsyncGenerator[bytes]:
        yield b"small"

    counting = CancelledAt(store.put(new_key("blobs"), body(), size=5), 0)
    assert await counting.ended()
    assert counting.waits == 1


async def test_a_put_is_synced_before_and_after_it_gets_its_place(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    fsync, rename = os.fsync, os.rename

    def spied_fsync(fd: int) -> None:
        fsync(fd)
        path = str(Path(f"/proc/self/fd/{fd}").readlink())
        done.append(path.removeprefix(f"{tmp_path}/objects"))

    def spied_rename(source: Path, target: Path) -> None:
        rename(source, target)
        done.append("rename")

    monkeypatch.setattr(os, "fsync", spied_fsync)
    monkeypatch.setattr(os, "rename", spied_rename)
    for size in (5, 3 * MIB):
        done.clear()
        key, _ = await make(store, size, kind=f"kind{'x' if size > 5 else ''}")
        kind, a, b, name = key.split("/")
        parents = ["", f"/{kind}", f"/{kind}/{a}"]
        assert done == [f"/.staging/{kind}-{name}", *parents, "rename", f"/{kind}/{a}/{b}"]
        done.clear()
        await store.put(f"{key[:-4]}0000", chunked(b"x", 1), size=1)
        assert done == [f"/.staging/{kind}-{name[:-4]}0000", "rename", f"/{kind}/{a}/{b}"]
        done.clear()
        await store.delete([key])
        assert done == [f"/{kind}/{a}/{b}"]


async def test_a_killed_put_leaves_only_what_delete_takes_away(
    store: LocalStore, tmp_path: Path
) -> None:
    key = new_key("blobs")
    root = tmp_path / "objects"
    await killed_put("local", {"root": str(root)}, key)
    assert [*files(root)] == [f".staging/blobs-{key[-32:]}"]
    assert [info async for info in store.list()] == []
    await store.delete([key])
    assert files(root) == {}


async def test_no_file_stays_open(store: LocalStore) -> None:
    key, data = await make(store, 5 * MIB)
    before = open_files()
    for number in range(1, 12):
        await CancelledAt(fetch(store, key), number).ended()
        other = new_key("blobs")
        await CancelledAt(store.put(other, chunked(data, CHUNK), size=None), number).ended()
    with pytest.raises(ValueError, match="within"):
        async with store.open(key, ByteRange(0, 10**9)):
            pass
    async for _ in store.list():
        break
    assert open_files() == before


async def test_threads_end_with_the_store(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    await asyncio.gather(*(make(store, 10) for _ in range(50)))
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("local-store")]
    assert 0 < len(threads) <= 16
    await store.aclose()
    assert not any(thread.is_alive() for thread in threads)


@pytest.mark.skipif(
    subprocess.run(["unshare", "-Urm", "true"], check=False).returncode != 0,
    reason="needs user namespaces to mount a small disk",
)
async def test_a_full_disk_and_one_that_takes_no_writes(tmp_path: Path) -> None:
    mount = 'mount -t tmpfs -o size=8m tmpfs "$1" && exec "$0" -m tests.storage.full_disk "$1"'
    process = await asyncio.create_subprocess_exec(
        *("unshare", "-Urm", "sh", "-c", mount, sys.executable, tmp_path), cwd=PROJECT
    )
    assert await process.wait() == 0


def open_files() -> set[Path]:
    links = Path("/proc/self/fd").iterdir()
    return {link.readlink() for link in links if link.is_symlink()}


def supports_direct(folder: Path) -> bool:
    try:
        os.close(os.open(folder / "probe", os.O_WRONLY | os.O_CREAT | os.O_DIRECT))
    except OSError:
        return False
    return True


def staged_is_direct(staging: Path) -> bool:
    for link in Path("/proc/self/fd").iterdir():
        if link.is_symlink() and link.readlink().parent == staging:
            return bool(fcntl.fcntl(int(link.name), fcntl.F_GETFL) & os.O_DIRECT)
    return False
