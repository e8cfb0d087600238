"""Faults on purpose: a store that fails or stalls where a test tells it to."""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from storage.base import ByteRange, ObjectInfo, ObjectReader, ObjectStore
from storage.errors import StoreUnavailable

Verb = Literal["put", "open", "stat", "delete", "list", "ping"]
Moment = Literal["before", "midway", "after"]
"""Midway is after the first chunk, the first item of a list, or half of the keys to delete.

After: the store has done it, but the answer is lost.
"""

_T = TypeVar("_T")


@dataclass
class Fault:
    """One call's fault. A stalled call sets ``reached`` and goes on when ``go`` is set."""

    moment: Moment
    error: Exception | None = None
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)

    async def strike(self, moment: Moment) -> None:
        if moment == self.moment:
            self.reached.set()
            if self.error is not None:
                raise self.error
            await self.go.wait()


class FaultyStore(ObjectStore):
    """Passes everything to another store, except for the calls that are told to go wrong.

    It has no `SupportsLocalPath`, so that every read goes through ``open``. Faults of a verb
    strike its next calls, one each, in the order they were ordered.
    """

    def __init__(self, inner: ObjectStore) -> None:
        self.inner = inner
        self.calls: dict[str, int] = defaultdict(int)
        """How often each verb has been called."""
        self._faults: dict[str, deque[Fault]] = defaultdict(deque)

    def fail(
        self,
        verb: Verb,
        *,
        times: int = 1,
        moment: Moment = "before",
        error: Exception | None = None,
    ) -> None:
        """Let the next ``times`` calls raise ``error`` (`StoreUnavailable` unless given)."""
        error = error or StoreUnavailable("told to fail")
        for _ in range(times):
            self._add(verb, Fault(moment, error))

    def stall(self, verb: Verb, *, moment: Moment = "before") -> Fault:
        """Let the next call stand still until the fault's ``go`` is set."""
        fault = Fault(moment)
        self._add(verb, fault)
        return fault

    def _add(self, verb: Verb, fault: Fault) -> None:
        if fault.moment == "midway" and verb in ("stat", "ping"):
            raise ValueError(f"{verb} has no midway")
        self._faults[verb].append(fault)

    def heal(self) -> None:
        """Forget the faults that have not struck yet."""
        self._faults.clear()

    @property
    def late(self) -> float:
        return self.inner.late

    async def put(
        self, key: str, body: AsyncIterable[bytes | memoryview], *, size: int | None
    ) -> None:
        async with self._call("put") as fault:
            await self.inner.put(key, _striking(body, fault), size=size)

    @asynccontextmanager
    async def open(
        self, key: str, byte_range: ByteRange | None = None
    ) -> AsyncIterator[ObjectReader]:
        async with self._call("open") as fault, self.inner.open(key, byte_range) as reader:
            yield _FaultyReader(reader, fault)

    async def stat(self, key: str) -> ObjectInfo:
        async with self._call("stat"):
            return await self.inner.stat(key)

    async def delete(self, keys: Sequence[str]) -> None:
        async with self._call("delete") as fault:
            half = len(keys) // 2
            await self.inner.delete(keys[:half])
            await fault.strike("midway")
            await self.inner.delete(keys[half:])

    async def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        async with self._call("list") as fault:
            async for info in _striking(self.inner.list(prefix), fault):
                yield info

    async def unfinished(self) -> AsyncIterator[ObjectInfo]:
        async for info in self.inner.unfinished():
            yield info

    async def ping(self) -> None:
        async with self._call("ping"):
            await self.inner.ping()

    async def aclose(self) -> None:
        await self.inner.aclose()

    @asynccontextmanager
    async def _call(self, verb: Verb) -> AsyncIterator[Fault]:
        self.calls[verb] += 1
        faults = self._faults[verb]
        fault = faults.popleft() if faults else _never()
        await fault.strike("before")
        yield fault
        await fault.strike("after")


class _FaultyReader(ObjectReader):
    def __init__(self, inner: ObjectReader, fault: Fault) -> None:
        self.size = inner.size
        self._inner = inner
        self._fault = fault

    def __aiter__(self) -> AsyncIterator[bytes]:
        return _striking(self._inner, self._fault)


def _never() -> Fault:
    fault = Fault("before")
    fault.go.set()
    return fault


async def _striking(items: AsyncIterable[_T], fault: Fault) -> AsyncIterator[_T]:
    struck = False
    async for item in items:
        yield item
        if not struck:
            struck = True
            await fault.strike("midway")
