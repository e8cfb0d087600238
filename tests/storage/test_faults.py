"""The faulty store does what the tests of other layers rely on."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from storage.base import SupportsLocalPath, new_key
from storage.conformance.bodies import chunked, read
from storage.errors import ObjectNotFound, StoreFull, StoreUnavailable
from storage.local import LocalStore
from tests.faults import FaultyStore, Moment

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[FaultyStore]:
    store = FaultyStore(LocalStore(tmp_path))
    yield store
    await store.aclose()


async def put(store: FaultyStore, data: bytes = b"abcdef") -> str:
    key = new_key("blobs")
    await store.put(key, chunked(data, 2), size=len(data))
    return key


@pytest.mark.parametrize(("moment", "stays"), [("before", 0), ("midway", 0), ("after", 1)])
async def test_a_put_fails_when_told_and_as_often(
    store: FaultyStore, moment: Moment, stays: int
) -> None:
    store.fail("put", times=2, moment=moment, error=StoreFull("told"))
    for _ in range(2):
        with pytest.raises(StoreFull, match="told"):
            await put(store)
    assert len([info async for info in store.list()]) == 2 * stays
    await put(store)
    assert store.calls["put"] == 3


async def test_a_read_breaks_off_midway(store: FaultyStore) -> None:
    key = await put(store)
    store.fail("open", moment="midway")
    async with store.open(key) as reader:
        chunks = aiter(reader)
        assert await anext(chunks) == b"abcdef"
        with pytest.raises(StoreUnavailable):
            await anext(chunks)
    async with store.open(key) as reader:
        assert await read(reader) == b"abcdef"


async def test_a_delete_breaks_off_midway(store: FaultyStore) -> None:
    keys = [await put(store) for _ in range(4)]
    store.fail("delete", moment="midway")
    with pytest.raises(StoreUnavailable):
        await store.delete(keys)
    assert len([info async for info in store.list()]) == 2


async def test_a_stalled_call_waits_until_it_may_go_on(store: FaultyStore) -> None:
    stall = store.stall("put", moment="midway")
    key = new_key("blobs")
    task = asyncio.create_task(store.put(key, chunked(b"abcdef", 2), size=6))
    await stall.reached.wait()
    with pytest.raises(ObjectNotFound):
        await store.stat(key)
    assert not task.done()
    stall.go.set()
    await task
    assert (await store.stat(key)).size == 6


async def test_every_verb_can_fail_and_be_healed(store: FaultyStore) -> None:
    key = await put(store)
    for verb in ("stat", "list", "ping", "delete", "open"):
        store.fail(verb, times=5)
    with pytest.raises(StoreUnavailable):
        await store.stat(key)
    with pytest.raises(StoreUnavailable):
        await store.ping()
    with pytest.raises(StoreUnavailable):
        assert [info async for info in store.list()]
    with pytest.raises(StoreUnavailable):
        async with store.open(key):
            pass
    store.heal()
    await store.ping()
    assert [info.key async for info in store.list()] == [key]


def test_it_offers_no_local_path(tmp_path: Path) -> None:
    local = LocalStore(tmp_path)
    assert isinstance(local, SupportsLocalPath)
    assert not isinstance(FaultyStore(local), SupportsLocalPath)
