"""Lists: every complete object, and only those."""

import asyncio
import time
from collections.abc import AsyncGenerator

from storage.base import ObjectInfo, ObjectStore, new_key
from storage.conformance.bodies import chunked, content
from storage.conformance.hooks import MIB, StoreHooks, make

SECOND = 1_000_000


async def listed(store: ObjectStore, prefix: str = "") -> dict[str, ObjectInfo]:
    """List into a dict; each key comes once."""
    infos = [info async for info in store.list(prefix)]
    found = {info.key: info for info in infos}
    assert len(found) == len(infos)
    return found


class Lists(StoreHooks):
    async def test_an_empty_store_lists_nothing(self, store: ObjectStore) -> None:
        assert await listed(store) == {}
        assert await listed(store, "blobs/") == {}

    async def test_a_list_says_the_same_as_stat(self, store: ObjectStore) -> None:
        made = [await make(store, size) for size in (0, 1, 5000, 9 * MIB)]
        found = await listed(store)
        assert {key: info.size for key, info in found.items()} == {
            key: len(data) for key, data in made
        }
        for key, info in found.items():
            apart = info.modified_at - (await store.stat(key)).modified_at
            assert abs(apart) <= SECOND  # not every listing is that exact

    async def test_what_is_unfinished_is_not_listed_but_found(self, store: ObjectStore) -> None:
        keys = [(await make(store, size))[0] for size in (5, 9 * MIB)]
        left = [new_key("blobs") for _ in range(3)]
        for key in left:
            await self.leave_unfinished(key)
        assert set(await listed(store)) == set(keys)
        assert {info.key async for info in store.unfinished()} == set(left)
        now = time.time_ns() // 1000
        async for info in store.unfinished():
            assert info.modified_at == 0 or abs(info.modified_at - now) < 3600 * SECOND
        await store.delete(left)
        assert [info async for info in store.unfinished()] == []

    async def test_what_is_under_way_is_unfinished(self, store: ObjectStore) -> None:
        key = new_key("blobs")
        seen: list[str] = []

        async def body() -> AsyncGenerator[bytes]:
            for number in range(6):
                yield content(4 * MIB, number)
                seen.extend([info.key async for info in store.unfinished()])

        await store.put(key, body(), size=None)
        assert set(seen) == {key}
        assert [info async for info in store.unfinished()] == []

    async def test_many_and_by_prefix(self, store: ObjectStore) -> None:
        kinds = ("blobs", "dumps", "blobsx")
        keys = [new_key(kinds[number % 3]) for number in range(self.many)]
        one = keys[0]
        keys += [one[:-1] + ("1" if one.endswith("0") else "0")]
        keys += [f"{one[:12]}{'1' if one[12] == '0' else '0'}{one[13:]}"]  # of the same folder
        gate = asyncio.Semaphore(32)

        async def put(key: str) -> None:
            async with gate:
                await store.put(key, chunked(key.encode(), 100), size=len(key))

        await asyncio.gather(*(put(key) for key in keys))
        found = await listed(store)
        assert {key: info.size for key, info in found.items()} == {key: len(key) for key in keys}
        cuts = (1, 5, 6, 7, 8, 9, 10, 11, 12, 13, 40, len(one))
        prefixes = ["dumps", "dumps/", "blobsx/", *(one[:cut] for cut in cuts)]
        for prefix in prefixes:
            wanted = {key for key in keys if key.startswith(prefix)}
            assert wanted
            assert set(await listed(store, prefix)) == wanted, prefix

    async def test_a_prefix_is_no_pattern(self, store: ObjectStore) -> None:
        await make(store, 5)
        await self.leave_unfinished(new_key("blobs"))
        for prefix in ("%", "_", "blobs/%", "bl_bs/", "*", "[b]", "blobs//", "/", "."):
            assert await listed(store, prefix) == {}, prefix

    async def test_what_stays_is_listed_while_others_come_and_go(self, store: ObjectStore) -> None:
        stay = {(await make(store, 10))[0] for _ in range(30)}
        go = [(await make(store, 10))[0] for _ in range(30)]
        seen: list[str] = []
        async for info in store.list():
            seen.append(info.key)
            if go:
                await store.delete([go.pop()])
                await make(store, 10)
        assert stay <= set(seen)
        assert len(seen) == len(set(seen))

    async def test_a_list_that_is_left_early_takes_nothing_with_it(
        self, store: ObjectStore
    ) -> None:
        keys = {(await make(store, 10))[0] for _ in range(5)}
        for _ in range(self.stalled):
            async for _ in store.list():
                break
        assert set(await listed(store)) == keys


class Service(StoreHooks):
    async def test_ping_leaves_nothing(self, store: ObjectStore) -> None:
        await store.ping()
        await self.assert_holds({})

    async def test_objects_stay_when_the_store_is_closed(self) -> None:
        store = await self.connect()
        key, data = await make(store, 5 * MIB)
        await store.aclose()
        await self.assert_holds({key: data})
