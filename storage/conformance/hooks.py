"""What a backend's test class says of its store, and the judging that all the tests share."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Mapping
from typing import ClassVar

import pytest

from storage.base import ObjectStore, new_key
from storage.conformance.bodies import chunked, content, read
from storage.errors import ObjectNotFound

MIB = 1 << 20
CHUNK = 2 * MIB


def facts(objects: Mapping[str, bytes]) -> dict[str, tuple[int, str]]:
    """Reduce objects to size and digest: a failing comparison of the bytes would never end."""
    return {key: (len(data), hashlib.sha256(data).hexdigest()) for key, data in objects.items()}


class StoreHooks:
    """The hooks that a backend's test class implements, with fixtures of its own for the rest.

    The oracle, `raw_objects` and `residue`, looks at the storage by other means than the store:
    the raw files, another client, SQL. It is what judges the store; a store that answers its own
    questions consistently could still have lost everything.
    """

    many: ClassVar[int] = 1100
    """How many objects the listing test makes; a slow backend may lower it."""
    stalled: ClassVar[int] = 40
    """How many puts and how many readers stand still at once: more than any pool is wide."""
    cancel_points: ClassVar[int] = 40
    """At how many of a put's waits to cancel it in the ordinary run, when it has more than that."""
    examples: ClassVar[int] = 10
    """How many runs the state machine makes."""
    memory_bound: ClassVar[int] = 48 * MIB
    """What a put or a read of a 64 MiB object may take, in bytes."""

    async def connect(self) -> ObjectStore:
        """Open a store on this test's storage; a second call opens another one on the same."""
        raise NotImplementedError

    async def raw_objects(self) -> dict[str, bytes]:
        """Return every complete object in the storage."""
        raise NotImplementedError

    async def residue(self) -> list[str]:
        """Name everything in the storage that is neither a complete object nor expected there.

        Staging files, unfinished multipart uploads, chunk rows of nothing.
        """
        raise NotImplementedError

    async def leave_unfinished(self, key: str) -> None:
        """Make in the storage what a put of ``key`` leaves that is killed half-way."""
        raise NotImplementedError

    @pytest.fixture
    async def store(self) -> AsyncGenerator[ObjectStore]:
        store = await self.connect()
        yield store
        await store.aclose()

    async def assert_holds(self, expected: Mapping[str, bytes]) -> None:
        """The storage holds exactly these objects, and nothing else is lying about."""
        objects = await self.raw_objects()
        if objects != expected:
            assert facts(objects) == facts(expected)
        assert await self.residue() == []

    async def assert_becomes_clean(self) -> None:
        """Within 5 s the storage is empty: for clean-up that goes on behind a second cancel."""
        async with asyncio.timeout(5):
            while await self.raw_objects() or await self.residue():  # noqa: ASYNC110  # no event tells
                await asyncio.sleep(0.01)


async def make(
    store: ObjectStore, size: int, *, kind: str = "blobs", seed: int = 0
) -> tuple[str, bytes]:
    """Put an object of ``size`` bytes; return its key and its bytes."""
    key, data = new_key(kind), content(size, seed)
    await store.put(key, chunked(data, CHUNK), size=size)
    return key, data


async def fetch(store: ObjectStore, key: str) -> bytes:
    """Read a whole object, checking that the reader tells its size."""
    async with store.open(key) as reader:
        data = await read(reader)
        assert reader.size == len(data)
    return data


async def assert_absent(store: ObjectStore, key: str) -> None:
    """The store says in every way that there is no such object."""
    with pytest.raises(ObjectNotFound):
        await store.stat(key)
    with pytest.raises(ObjectNotFound):
        async with store.open(key):
            pass
    assert [info.key async for info in store.list(key)] == []
