"""Opens, stats and deletes: the right bytes or an error."""

import asyncio
import time
import tracemalloc
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from itertools import combinations

import pytest

from storage.base import ByteRange, ObjectStore, new_key
from storage.conformance.bodies import CancelledAt, chunked, read
from storage.conformance.hooks import CHUNK, MIB, StoreHooks, assert_absent, facts, fetch, make
from storage.errors import StorageError

SIZE = 9 * MIB + 123
"""Of the object that ranges are read from: several chunks and parts of any backend."""
EDGES = (0, 1, MIB - 1, MIB, MIB + 1, 8 * MIB - 1, 8 * MIB, 8 * MIB + 1, SIZE - 1, SIZE)


class Reads(StoreHooks):
    async def test_ranges(self, store: ObjectStore) -> None:
        key, data = await make(store, SIZE)
        short = [(start, stop) for start, stop in combinations(EDGES, 2) if stop - start < 3 * MIB]
        whole = [*((0, edge) for edge in EDGES), *((edge, SIZE) for edge in EDGES)]
        for start, stop in {*zip(EDGES, EDGES, strict=True), *short, *whole}:
            async with store.open(key, ByteRange(start, stop)) as reader:
                assert reader.size == SIZE
                part = await read(reader)
            assert facts({key: part}) == facts({key: data[start:stop]}), (start, stop)

    async def test_ranges_of_an_empty_object(self, store: ObjectStore) -> None:
        key, _ = await make(store, 0)
        for byte_range in (None, ByteRange(0, 0)):
            async with store.open(key, byte_range) as reader:
                assert reader.size == 0
                assert await read(reader) == b""

    async def test_a_range_that_is_not_within_the_object_is_refused(
        self, store: ObjectStore
    ) -> None:
        key, _ = await make(store, 10)
        for start, stop in ((0, 11), (10, 11), (11, 12), (-1, 5), (6, 5)):
            with pytest.raises(ValueError, match="within"):
                async with store.open(key, ByteRange(start, stop)):
                    pass

    async def test_chunks_are_of_bounded_size(self, store: ObjectStore) -> None:
        key, _ = await make(store, 17 * MIB)
        async with store.open(key) as reader:
            sizes = [len(chunk) async for chunk in reader]
        assert sum(sizes) == 17 * MIB
        assert 0 < min(sizes) <= max(sizes) <= 8 * MIB

    async def test_a_read_takes_memory_of_bounded_size(self, store: ObjectStore) -> None:
        key, chunk, number = new_key("blobs"), bytes(CHUNK), 32
        await store.put(key, _repeat(chunk, number), size=number * CHUNK)
        tracemalloc.start()
        try:
            async with store.open(key) as reader:
                assert sum([len(data) async for data in reader]) == number * CHUNK
            assert tracemalloc.get_traced_memory()[1] < self.memory_bound
        finally:
            tracemalloc.stop()

    async def test_what_is_missing_is_not_found(self, store: ObjectStore) -> None:
        await make(store, 5)
        await assert_absent(store, new_key("blobs"))
        await assert_absent(store, new_key("never"))

    async def test_what_is_unfinished_is_not_found(self, store: ObjectStore) -> None:
        key = new_key("blobs")
        await self.leave_unfinished(key)
        assert await self.residue()
        await assert_absent(store, key)

    async def test_stat_tells_size_and_time(self, store: ObjectStore) -> None:
        before = time.time_ns() // 1000
        key, _ = await make(store, 12_345)
        after = time.time_ns() // 1000
        info = await store.stat(key)
        assert (info.key, info.size) == (key, 12_345)
        assert before - 2_000_000 <= info.modified_at <= after + 2_000_000

    async def test_another_store_of_the_same_storage_sees_it_all(self, store: ObjectStore) -> None:
        key, data = await make(store, 9 * MIB)
        other = await self.connect()
        try:
            assert facts({key: await fetch(other, key)}) == facts({key: data})
            await other.delete([key])
        finally:
            await other.aclose()
        await assert_absent(store, key)

    async def test_many_readers_at_once(self, store: ObjectStore) -> None:
        made = [await make(store, size, seed=size) for size in (1, 5000, 3 * MIB, SIZE)]
        copies = await asyncio.gather(*(fetch(store, key) for key, _ in made * 4))
        assert [facts({"": copy}) for copy in copies] == [facts({"": data}) for _, data in made * 4]

    async def test_slow_readers_keep_nobody_from_the_store(self, store: ObjectStore) -> None:
        key, data = await make(store, 3 * MIB)
        async with asyncio.timeout(60), AsyncExitStack() as stack:
            readers = [
                aiter(await stack.enter_async_context(store.open(key))) for _ in range(self.stalled)
            ]
            heads = [await anext(reader) for reader in readers]
            other, _ = await make(store, 3 * MIB)
            await fetch(store, other)
            await store.ping()
            for reader, head in zip(readers, heads, strict=True):
                whole = head + b"".join([chunk async for chunk in reader])
                assert facts({key: whole}) == facts({key: data})

    async def test_a_reader_that_is_left_early_takes_nothing_with_it(
        self, store: ObjectStore
    ) -> None:
        key, data = await make(store, SIZE)
        for _ in range(self.stalled):
            async with store.open(key) as reader:
                await anext(aiter(reader))
        with pytest.raises(KeyError):
            async with store.open(key) as reader:
                raise KeyError
        await store.put(second := new_key("blobs"), chunked(data, CHUNK), size=None)
        assert facts({key: await fetch(store, second)}) == facts({key: data})

    async def test_a_cancelled_read_takes_nothing_with_it(self, store: ObjectStore) -> None:
        key, data = await make(store, 3 * MIB)
        counting = CancelledAt(fetch(store, key), 0)
        assert await counting.ended()
        for number in range(1, counting.waits + 1, max(1, counting.waits // self.cancel_points)):
            await CancelledAt(fetch(store, key), number).ended()
        assert facts({key: await fetch(store, key)}) == facts({key: data})

    @pytest.mark.parametrize("size", [10, SIZE])
    async def test_a_delete_may_cut_a_read_but_never_falsify_it(
        self, store: ObjectStore, size: int
    ) -> None:
        key, data = await make(store, size)
        got = b""
        try:
            async with store.open(key) as reader:
                async for chunk in reader:
                    if not got:
                        await store.delete([key])
                    got += chunk
            assert len(got) == size
        except StorageError:
            pass
        assert facts({key: got}) == facts({key: data[: len(got)]})
        await self.assert_holds({})


class Deletes(StoreHooks):
    async def test_delete_takes_what_it_is_told_and_no_more(self, store: ObjectStore) -> None:
        made = dict([await make(store, 10 + number, seed=number) for number in range(20)])
        big, _ = await make(store, SIZE)
        keys = [*made]
        await store.delete([*keys[:10], big, new_key("blobs"), new_key("never")])
        await self.assert_holds({key: made[key] for key in keys[10:]})
        for key in [*keys[:10], big]:
            await assert_absent(store, key)

    async def test_delete_of_what_is_missing_is_fine(self, store: ObjectStore) -> None:
        key, _ = await make(store, 5)
        for keys in ([], [new_key("blobs")], [key], [key], [key, key]):
            await store.delete(keys)
        await self.assert_holds({})

    async def test_delete_takes_what_an_interrupted_put_left(self, store: ObjectStore) -> None:
        key, other = new_key("blobs"), new_key("blobs")
        kept, data = await make(store, 5)
        await self.leave_unfinished(key)
        one = len(await self.residue())
        await self.leave_unfinished(other)
        assert await self.residue()
        await store.delete([key])
        assert 0 < len(await self.residue()) <= one
        await store.delete([other])
        await self.assert_holds({kept: data})

    async def test_deletes_at_once_of_the_same_are_fine(self, store: ObjectStore) -> None:
        keys = [(await make(store, 100, seed=number))[0] for number in range(8)]
        await asyncio.gather(*(store.delete(keys) for _ in range(8)))
        await self.assert_holds({})


async def _repeat(chunk: bytes, times: int) -> AsyncGenerator[bytes]:
    for _ in range(times):
        yield chunk
