"""A store that takes the place of another: the suite with objects in either, and what both have."""

from collections.abc import AsyncIterable, AsyncIterator, Iterator
from pathlib import Path

import pytest

from storage.base import ByteRange, ObjectStore, SupportsLocalPath, is_key, new_key
from storage.conformance import StoreConformance
from storage.conformance.bodies import chunked, read
from storage.conformance.hooks import MIB, assert_absent, fetch, make
from storage.errors import StoreUnavailable
from storage.local import LocalStore
from storage.moving import MovingStore, moving
from storage.s3.store import S3Store
from tests.faults import FaultyStore
from tests.servers import S3Server
from tests.storage.test_local import files
from tests.storage.test_s3 import Oracle, settings

pytestmark = pytest.mark.anyio


class _Mixed(MovingStore):
    """Has put every other object before the move, as it were."""

    async def put(
        self, key: str, body: AsyncIterable[bytes | memoryview], *, size: int | None
    ) -> None:
        store = self.new if int(key[-1], 16) % 2 else self.previous
        await store.put(key, body, size=size)


@pytest.mark.slow
class TestMovingStore(StoreConformance):
    @pytest.fixture(autouse=True)
    def _roots(self, tmp_path: Path) -> None:
        self.previous, self.new = tmp_path / "previous", tmp_path / "new"

    async def connect(self) -> ObjectStore:
        return _Mixed(LocalStore(self.new), LocalStore(self.previous))

    async def raw_objects(self) -> dict[str, bytes]:
        roots = (self.previous, self.new)
        found = [path for root in roots for path in files(root).items()]
        return {name: path.read_bytes() for name, path in found if is_key(name)}

    async def residue(self) -> list[str]:
        names = [*files(self.previous), *files(self.new)]
        return [name for name in names if not is_key(name)]

    async def leave_unfinished(self, key: str) -> None:
        kind, _, _, name = key.split("/")
        (self.new / ".staging" / f"{kind}-{name}").write_bytes(b"half")


@pytest.fixture(scope="module")
def oracle(s3_server: S3Server) -> Iterator[Oracle]:
    oracle = Oracle(s3_server, "moving")
    oracle.client.create_bucket(Bucket=oracle.bucket)
    yield oracle
    oracle.client.close()


@pytest.mark.slow
class TestMovingToS3(StoreConformance):
    many = 200
    stalled = 70
    cancel_points = 4
    examples = 2

    @pytest.fixture(autouse=True)
    def _stores(self, s3_server: S3Server, oracle: Oracle, tmp_path: Path) -> Iterator[None]:
        self.server, self.oracle, self.previous = s3_server, oracle, tmp_path / "previous"
        yield
        oracle.clear()

    async def connect(self) -> ObjectStore:
        new = await S3Store.connect(**settings(self.server, self.oracle.bucket))  # type: ignore[arg-type]
        return _Mixed(new, LocalStore(self.previous))

    async def raw_objects(self) -> dict[str, bytes]:
        found = {key: self.oracle.read(key) for key in self.oracle.objects() if is_key(key)}
        local = files(self.previous).items()
        return found | {name: path.read_bytes() for name, path in local if is_key(name)}

    async def residue(self) -> list[str]:
        names = [*files(self.previous), *self.oracle.objects()]
        uploads = (f"upload {key} {name}" for key, name in self.oracle.uploads())
        return [*(name for name in names if not is_key(name)), *uploads]

    async def leave_unfinished(self, key: str) -> None:
        self.oracle.begin(key, b"half" * (5 << 18))


@pytest.fixture
async def new(tmp_path: Path, anyio_backend: str) -> LocalStore:
    return LocalStore(tmp_path / "new")


@pytest.fixture
async def previous(tmp_path: Path, anyio_backend: str) -> LocalStore:
    return LocalStore(tmp_path / "previous")


@pytest.fixture
async def store(new: LocalStore, previous: LocalStore) -> AsyncIterator[MovingStore]:
    store = moving(new, previous)
    yield store
    await store.aclose()


async def test_puts_go_to_the_new_store(
    store: MovingStore, new: LocalStore, previous: LocalStore
) -> None:
    key, data = await make(store, 3 * MIB)
    assert await fetch(new, key) == data
    await assert_absent(previous, key)


async def test_what_both_have_is_listed_once_and_deleted_twice(
    store: MovingStore, new: LocalStore, previous: LocalStore
) -> None:
    made = [await make(previous, size, kind="files", seed=size) for size in range(1, 1200)]
    for key, data in made[::2]:
        await new.put(key, chunked(data, len(data)), size=len(data))
    only_new, _ = await make(new, 5, kind="blobs")
    listed = [info.key async for info in store.list()]
    assert sorted(listed) == sorted([only_new, *(key for key, _ in made)])
    assert {info.key async for info in store.list("blobs/")} == {only_new}
    for key, data in made[:2]:
        async with store.open(key, ByteRange(0, 1)) as reader:
            assert (reader.size, await read(reader)) == (len(data), data[:1])
        await store.delete([key])
        for one in (store, new, previous):
            await assert_absent(one, key)


async def test_nothing_is_missing_while_a_store_does_not_answer(
    new: LocalStore, previous: LocalStore
) -> None:
    faulty_new, faulty_previous = FaultyStore(new), FaultyStore(previous)
    store = moving(faulty_new, faulty_previous)
    key, data = await make(previous, 5)
    for faulty in (faulty_new, faulty_previous):
        for verb in ("stat", "open", "delete", "ping", "list"):
            faulty.fail(verb)
        for asked in (store.stat(key), fetch(store, key), store.delete([key]), store.ping()):
            with pytest.raises(StoreUnavailable):
                await asked
        with pytest.raises(StoreUnavailable):
            assert [info async for info in store.list()]
        key, data = await make(previous, 5)
    assert await fetch(store, key) == data


async def test_the_kernel_sends_files_of_either_store(
    store: MovingStore, new: LocalStore, previous: LocalStore
) -> None:
    assert isinstance(store, SupportsLocalPath)
    (moved, data), (left, _) = await make(previous, 5), await make(previous, 6)
    await new.put(moved, chunked(data, 5), size=5)
    assert store.local_path(moved) == new.local_path(moved)
    assert store.local_path(left) == previous.local_path(left)
    assert not store.local_path(new_key("blobs")).exists()
    assert not isinstance(moving(FaultyStore(new), previous), SupportsLocalPath)
    assert not isinstance(moving(new, FaultyStore(previous)), SupportsLocalPath)
