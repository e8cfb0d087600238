"""Puts: exact, all or nothing, whatever body and caller do."""

import asyncio
import errno
import itertools
import tracemalloc
from collections.abc import Callable

import pytest

from storage.base import ObjectStore, new_key
from storage.conformance.bodies import (
    Body,
    CancelledAt,
    TwoBuffers,
    chunked,
    content,
    endless,
    failing,
    stalling,
    watched,
)
from storage.conformance.hooks import CHUNK, MIB, StoreHooks, assert_absent, facts, fetch, make
from storage.errors import StorageError

SIZES = (
    *(0, 1, 4095, 4096, 4097),
    *(MIB - 1, MIB, MIB + 1, CHUNK - 1, CHUNK, CHUNK + 1),
    *(8 * MIB - 1, 8 * MIB, 8 * MIB + 1, 17 * MIB + 321),
)

BODIES: dict[str, Callable[[bytes], Body]] = {
    "at once": lambda data: chunked(data, len(data) or 1),
    "odd chunks": lambda data: chunked(data, 100_003),
    "two buffers": lambda data: TwoBuffers(data, CHUNK),
}

ERRORS: tuple[Callable[[], Exception], ...] = (
    lambda: RuntimeError("body"),
    lambda: OSError(errno.ENOSPC, "body"),
    lambda: StorageError("body"),
)

SOME_OR_EVERY = (False, pytest.param(True, marks=pytest.mark.slow))
"""Whether to cancel a put at each of its waits."""


class Puts(StoreHooks):
    async def test_put_stores_the_bytes(self, store: ObjectStore) -> None:
        """Of sizes, kinds of body and whether the size is announced, each meets each other."""
        for turn, size in enumerate(SIZES):
            data, objects = content(size, seed=size), dict[str, bytes]()
            for number, body in enumerate(BODIES.values()):
                key = new_key("blobs")
                await store.put(key, body(data), size=size if (turn + number) % 2 else None)
                assert (await store.stat(key)).size == size
                objects[key] = data
            await self.assert_holds(objects)
            assert facts({key: await fetch(store, key)}) == facts({key: data})
            await store.delete([*objects])
            await self.assert_holds({})

    @pytest.mark.slow
    @pytest.mark.parametrize("size", SIZES)
    @pytest.mark.parametrize("kind_of_body", BODIES)
    async def test_put_stores_the_bytes_of_every_body_of_every_size(
        self, store: ObjectStore, size: int, kind_of_body: str
    ) -> None:
        data = content(size, seed=size)
        for announced in (size, None):
            key = new_key("blobs")
            await store.put(key, BODIES[kind_of_body](data), size=announced)
            await self.assert_holds({key: data})
            assert facts({key: await fetch(store, key)}) == facts({key: data})
            assert (await store.stat(key)).size == size
            await store.delete([key])
            await self.assert_holds({})

    async def test_put_copies_what_its_maker_may_spoil(self, store: ObjectStore) -> None:
        data = content(9 * MIB + 5)
        for size in (4096, 65_536, CHUNK):
            key = new_key("blobs")
            body = TwoBuffers(data[: size * 40], size)
            await store.put(key, body, size=None)
            body.spoil()
            await self.assert_holds({key: data[: size * 40]})
            await store.delete([key])

    async def test_put_takes_empty_chunks(self, store: ObjectStore) -> None:
        async def body() -> Body:
            for chunk in (b"", b"ab", b"", memoryview(b""), b"c", b""):
                yield chunk

        key = new_key("blobs")
        await store.put(key, body(), size=3)
        await self.assert_holds({key: b"abc"})

    @pytest.mark.parametrize(("size", "chunk"), [(1000, 300), (9 * MIB, CHUNK)])
    async def test_an_error_of_the_body_passes_and_leaves_nothing(
        self, store: ObjectStore, size: int, chunk: int
    ) -> None:
        data = content(size)
        places = [(at, known) for at in range(-(-size // chunk) + 1) for known in (size, None)]
        for (at, announced), kind in zip(places, itertools.cycle(ERRORS), strict=False):
            key, error = new_key("blobs"), kind()
            with pytest.raises(type(error)) as caught:
                await store.put(key, failing(data, chunk, at, error), size=announced)
            assert caught.value is error
            assert caught.value.__cause__ is None
            await self.assert_holds({})
            await assert_absent(store, key)

    @pytest.mark.parametrize("every", SOME_OR_EVERY)
    @pytest.mark.parametrize(("size", "chunk"), [(0, 1), (1000, 1000), (9 * MIB, CHUNK)])
    async def test_a_cancelled_put_leaves_nothing(
        self, store: ObjectStore, size: int, chunk: int, *, every: bool
    ) -> None:
        data = content(size)
        for number in await self._cancel_points(store, data, chunk, every=every):
            key = new_key("blobs")
            cancelling = CancelledAt(store.put(key, chunked(data, chunk), size=size), number)
            if await cancelling.ended():
                await self.assert_holds({key: data})
                await store.delete([key])
            else:
                await self.assert_holds({})

    @pytest.mark.parametrize("every", SOME_OR_EVERY)
    async def test_a_put_that_is_cancelled_again_while_it_cleans_up_leaves_nothing(
        self, store: ObjectStore, *, every: bool
    ) -> None:
        data = content(9 * MIB)
        for number in await self._cancel_points(store, data, CHUNK, every=every):
            key = new_key("blobs")
            put = store.put(key, chunked(data, CHUNK), size=None)
            if await CancelledAt(put, number, times=3).ended():
                await self.assert_holds({key: data})
                await store.delete([key])
            await self.assert_becomes_clean()

    async def _cancel_points(
        self, store: ObjectStore, data: bytes, chunk: int, *, every: bool
    ) -> range:
        key = new_key("blobs")
        counting = CancelledAt(store.put(key, chunked(data, chunk), size=None), 0)
        assert await counting.ended()
        await store.delete([key])
        step = 1 if every else -(-counting.waits // self.cancel_points)
        return range(1, counting.waits + 5, step)

    @pytest.mark.parametrize(("size", "chunk"), [(1000, 300), (9 * MIB, CHUNK)])
    async def test_nothing_is_visible_before_put_returns(
        self, store: ObjectStore, size: int, chunk: int
    ) -> None:
        key, data = new_key("blobs"), content(size)
        looks = 0

        async def look() -> None:
            nonlocal looks
            looks += 1
            assert await self.raw_objects() == {}
            await assert_absent(store, key)

        await store.put(key, watched(data, chunk, look), size=size)
        assert looks == -(-size // chunk) + 1
        await self.assert_holds({key: data})

    async def test_a_body_of_another_size_than_announced_is_refused(
        self, store: ObjectStore
    ) -> None:
        for size, off in itertools.product((1, 1000, 9 * MIB), (-1, 1)):
            key, data = new_key("blobs"), content(size)
            with pytest.raises(ValueError, match="announced"):
                await store.put(key, chunked(data, CHUNK), size=size + off)
            await self.assert_holds({})
            await assert_absent(store, key)

    async def test_a_body_without_end_is_refused_at_the_announced_size(
        self, store: ObjectStore
    ) -> None:
        async with asyncio.timeout(30):
            with pytest.raises(ValueError, match="announced"):
                await store.put(new_key("blobs"), endless(content(MIB)), size=3 * MIB)
        await self.assert_holds({})

    async def test_puts_at_once_dont_mix(self, store: ObjectStore) -> None:
        sizes = [0, 1, 5000, MIB, CHUNK + 7, 5 * MIB, 9 * MIB] * 2
        made = await asyncio.gather(
            *(make(store, size, seed=number) for number, size in enumerate(sizes))
        )
        await self.assert_holds(dict(made))
        read = await asyncio.gather(*(fetch(store, key) for key, _ in made))
        assert facts(dict(zip([key for key, _ in made], read, strict=True))) == facts(dict(made))

    async def test_slow_bodies_keep_nobody_from_the_store(self, store: ObjectStore) -> None:
        data, go = content(MIB + 1), asyncio.Event()
        keys = [new_key("blobs") for _ in range(self.stalled)]
        reached = [asyncio.Event() for _ in keys]
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            for key, event in zip(keys, reached, strict=True):
                group.create_task(store.put(key, stalling(data, MIB, event, go), size=None))
            for event in reached:
                await event.wait()
            other, _ = await make(store, 3 * MIB)
            await fetch(store, other)
            await store.delete([other])
            await store.ping()
            go.set()
        await self.assert_holds(dict.fromkeys(keys, data))

    async def test_a_put_takes_memory_of_bounded_size(self, store: ObjectStore) -> None:
        size, key = 64 * MIB, new_key("blobs")

        async def body() -> Body:
            buffers = (memoryview(bytearray(CHUNK)), memoryview(bytearray(CHUNK)))
            for number in range(size // CHUNK):
                yield buffers[number % 2]

        tracemalloc.start()
        try:
            await store.put(key, body(), size=size)
            assert tracemalloc.get_traced_memory()[1] < self.memory_bound
        finally:
            tracemalloc.stop()
        assert (await store.stat(key)).size == size
