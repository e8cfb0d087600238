"""Stores that are known by their marks: what they say while one is missing, on every storage."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from storage import marked as marked_stores
from storage.base import ObjectStore, SupportsLocalPath, new_key
from storage.conformance.bodies import chunked, read
from storage.conformance.hooks import MIB, fetch, make
from storage.errors import ObjectNotFound, StoreUnavailable, StoreUnmarked
from storage.local import LocalStore
from storage.marked import marked
from storage.postgres import PostgresStore
from storage.s3.store import S3Store
from tests.faults import FaultyStore
from tests.storage import test_local
from tests.storage.test_s3 import Oracle, settings

pytestmark = pytest.mark.anyio

MARKS = [f"{kind}/0/0/{'0' * 32}" for kind in ("instance", "dumps")]
CONTENT = b"whose store this is"


async def mark(store: ObjectStore, content: bytes = CONTENT) -> None:
    for key in MARKS:
        await store.put(key, chunked(content, 100), size=len(content))


def raw_marks(raw: dict[str, bytes]) -> dict[str, bytes]:
    return {key: data for key, data in raw.items() if key not in MARKS}


@pytest.mark.slow
class TestMarkedStore(test_local.TestLocalStore):
    """The contract of stores holds for one that is known by its marks, too."""

    async def connect(self) -> ObjectStore:
        store = LocalStore(self.root)
        if not store.local_path(MARKS[0]).exists():
            await mark(store)
        return marked(_Unmarked(store), MARKS, CONTENT)

    async def raw_objects(self) -> dict[str, bytes]:
        return raw_marks(await super().raw_objects())


class _Unmarked(LocalStore):
    """A store that lists all but the marks, as the suite expects."""

    def __init__(self, store: LocalStore) -> None:
        self.__dict__ = store.__dict__

    async def list(self, prefix: str = "") -> AsyncIterator[Any]:
        async for info in super().list(prefix):
            if info.key not in MARKS:
                yield info


@asynccontextmanager
async def local(request: pytest.FixtureRequest) -> AsyncIterator[ObjectStore]:
    path: Path = request.getfixturevalue("tmp_path") / "objects"
    store = LocalStore(path)
    yield store
    await store.aclose()


@asynccontextmanager
async def s3(request: pytest.FixtureRequest) -> AsyncIterator[ObjectStore]:
    server = request.getfixturevalue("s3_server")
    oracle = Oracle(server, f"marked-{new_key('x')[-8:]}")
    oracle.client.create_bucket(Bucket=oracle.bucket)
    store = await S3Store.connect(**settings(server, oracle.bucket))  # type: ignore[arg-type]
    yield store
    await store.aclose()
    oracle.clear()
    oracle.client.close()


@asynccontextmanager
async def postgres(request: pytest.FixtureRequest) -> AsyncIterator[ObjectStore]:
    server = request.getfixturevalue("postgres_server")
    dsn = server.create_database()
    store = await PostgresStore.connect(dsn)
    yield store
    await store.aclose()
    server.drop_database(dsn)


@pytest.fixture(params=[local, s3, postgres], ids=lambda opened: opened.__name__)
async def bare(request: pytest.FixtureRequest, anyio_backend: str) -> AsyncIterator[ObjectStore]:
    """A store of each kind that carries its marks."""
    async with request.param(request) as store:
        await mark(store)
        yield store


@pytest.fixture
def store(bare: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """The same, known by its marks; it looks at them anew whenever it may."""
    monkeypatch.setattr(marked_stores, "_FRESH", 0.0)
    return marked(bare, MARKS, CONTENT)


async def opening(store: ObjectStore, key: str) -> bytes:
    async with store.open(key) as reader:
        return await read(reader)


async def listing(store: ObjectStore, prefix: str = "") -> list[str]:
    return [info.key async for info in store.list(prefix)]


async def unfinished(store: ObjectStore) -> list[str]:
    return [info.key async for info in store.unfinished()]


async def refuses(verb: Awaitable[Any]) -> None:
    with pytest.raises(StoreUnmarked, match="its mark "):
        await verb


async def test_without_a_mark_nothing_is_stored_and_nothing_said_to_be_missing(
    bare: ObjectStore, store: ObjectStore
) -> None:
    key, data = await make(store, 100)
    gone = new_key("blobs")
    await bare.delete(MARKS)
    before = {info.key async for info in bare.list()}
    for verb in (
        store.stat(gone),
        opening(store, gone),
        store.delete([gone]),
        listing(store),
        unfinished(store),
        store.ping(),
        store.put(new_key("blobs"), chunked(b"small", 5), size=5),
        store.put(new_key("blobs"), chunked(bytes(9 * MIB), MIB), size=None),
    ):
        await refuses(verb)
    assert {info.key async for info in bare.list()} == before
    assert await fetch(store, key) == data, "what is there is there"
    await mark(bare)
    await store.ping()
    with pytest.raises(ObjectNotFound):
        await store.stat(gone)
    await store.delete([gone])
    assert set(await listing(store)) == {key, *MARKS}
    await make(store, 100)


async def test_a_store_with_anothers_mark_is_not_this_one(
    bare: ObjectStore, store: ObjectStore
) -> None:
    await bare.delete(MARKS)
    await mark(bare, b"another's, who has it")
    for verb in (store.stat(new_key("blobs")), store.ping(), listing(store), make(store, 5)):
        with pytest.raises(StoreUnmarked, match="another"):
            await verb


async def test_each_kind_has_its_mark(bare: ObjectStore, store: ObjectStore) -> None:
    await bare.delete(MARKS[1:])
    await make(store, 5)
    await store.delete([new_key("blobs")])
    assert await listing(store, "blobs/")
    for verb in (
        make(store, 5, kind="dumps"),
        store.delete([new_key("blobs"), new_key("dumps")]),
        store.stat(new_key("dumps")),
        listing(store, "dumps/"),
        listing(store),
        store.ping(),
    ):
        await refuses(verb)


async def test_a_put_amid_which_a_disk_vanishes_fails_and_leaves_nothing(
    request: pytest.FixtureRequest,
) -> None:
    async with local(request) as bare:
        await mark(bare)
        store = marked(bare, MARKS, CONTENT)

        async def body() -> AsyncGenerator[bytes]:
            yield b"a"
            await bare.delete(MARKS)
            yield b"b"

        await refuses(store.put(new_key("blobs"), body(), size=2))
        assert [info async for info in bare.list()] == []


async def test_a_mark_that_was_just_seen_is_not_looked_at_for_each_put(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marked_stores, "_FRESH", 3600.0)
    async with local(request) as bare:
        await mark(bare)
        watched = FaultyStore(bare)  # as those of networks are: it has no local paths
        store = marked(watched, MARKS, CONTENT)
        for _ in range(20):
            await make(store, 5)
        assert watched.calls["open"] == 1
        watched.fail("open")
        with pytest.raises(StoreUnavailable, match="told to fail"):
            await store.ping()


async def test_files_stay_files(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    async with local(request) as bare:
        store = marked(bare, MARKS, CONTENT)
        key = new_key("blobs")
        assert isinstance(store, SupportsLocalPath)
        assert store.local_path(key) == tmp_path / "objects" / key
        assert not isinstance(marked(FaultyStore(bare), MARKS, CONTENT), SupportsLocalPath)
