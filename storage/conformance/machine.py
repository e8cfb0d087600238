"""A state machine: whatever is done in whatever order, the storage holds what a dict would."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from storage.base import ByteRange, ObjectStore, new_key
from storage.conformance.bodies import CancelledAt, chunked, content, failing, read
from storage.conformance.hooks import MIB, StoreHooks, assert_absent, facts, fetch

_T = TypeVar("_T")

SMALL = [0, 1, 10, 999, 1000, 1001, 4096, 5000]
LENGTHS = st.sampled_from([*SMALL, *SMALL, MIB - 1, MIB, MIB + 1, 3 * MIB + 5, 9 * MIB + 1])
CHUNKS = st.sampled_from([1000, 65_536, MIB, 2 * MIB])
KINDS = st.sampled_from(["blobs", "dumps", "files"])


class StoreMachine(RuleBasedStateMachine):
    """Does anything to a store, and to a dict; the oracle of ``hooks`` compares them.

    Hypothesis is synchronous: its thread hands each step to the event loop of the test.
    """

    keys: Bundle[str] = Bundle("keys")

    def __init__(
        self, store: ObjectStore, hooks: StoreHooks, loop: asyncio.AbstractEventLoop
    ) -> None:
        super().__init__()
        self._store = store
        self._hooks = hooks
        self._loop = loop
        self._model: dict[str, bytes] = {}
        self._made = 0

    def _do(self, coroutine: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(120)

    def _content(self, length: int) -> bytes:
        self._made += 1
        return content(length, seed=self._made)

    @rule(target=keys, kind=KINDS, length=LENGTHS, chunk=CHUNKS, known=st.booleans())
    def put(self, kind: str, length: int, chunk: int, *, known: bool) -> str:
        key, data = new_key(kind), self._content(length)
        size = length if known else None
        self._do(self._store.put(key, chunked(data, chunk), size=size))
        self._model[key] = data
        return key

    @rule(target=keys, kind=KINDS, lengths=st.lists(LENGTHS, min_size=2, max_size=5))
    def put_at_once(self, kind: str, lengths: list[int]) -> MultipleResults[str]:
        made = {new_key(kind): self._content(length) for length in lengths}

        async def put() -> None:
            async with asyncio.TaskGroup() as group:
                for key, data in made.items():
                    group.create_task(self._store.put(key, chunked(data, MIB), size=None))

        self._do(put())
        self._model |= made
        return multiple(*made)

    @rule(target=keys, kind=KINDS, length=LENGTHS, chunk=CHUNKS, at=st.integers(0, 9))
    def put_that_fails(self, kind: str, length: int, chunk: int, at: int) -> str:
        key, error = new_key(kind), RuntimeError("body")

        async def put() -> None:
            body = failing(self._content(length), chunk, at, error)
            with pytest.raises(RuntimeError) as caught:
                await self._store.put(key, body, size=length)
            assert caught.value is error

        self._do(put())
        return key

    @rule(target=keys, kind=KINDS, length=LENGTHS, chunk=CHUNKS, number=st.integers(1, 60))
    def put_that_is_cancelled(self, kind: str, length: int, chunk: int, number: int) -> str:
        key, data = new_key(kind), self._content(length)
        put = self._store.put(key, chunked(data, chunk), size=None)
        if self._do(CancelledAt(put, number).ended()):
            self._model[key] = data
        return key

    @rule(target=keys, kind=KINDS)
    def leave_unfinished(self, kind: str) -> str:
        key = new_key(kind)
        self._do(self._hooks.leave_unfinished(key))
        self._do(assert_absent(self._store, key))
        self._do(self._store.delete([key]))
        return key

    @rule(key=keys)
    def read(self, key: str) -> None:
        if key in self._model:
            assert facts({key: self._do(fetch(self._store, key))}) == facts({key: self._model[key]})
            assert self._do(self._store.stat(key)).size == len(self._model[key])
        else:
            self._do(assert_absent(self._store, key))

    @rule(key=keys, ends=st.tuples(st.integers(0, 10 * MIB), st.integers(0, 10 * MIB)))
    def read_range(self, key: str, ends: tuple[int, int]) -> None:
        data = self._model.get(key)
        if data is None:
            return
        start, stop = sorted(min(end, len(data)) for end in ends)

        async def part() -> bytes:
            async with self._store.open(key, ByteRange(start, stop)) as reader:
                assert reader.size == len(data)
                return await read(reader)

        assert facts({key: self._do(part())}) == facts({key: data[start:stop]})

    @rule(chosen=st.lists(keys, max_size=5))
    def delete(self, chosen: list[str]) -> None:
        self._do(self._store.delete(chosen))
        for key in chosen:
            self._model.pop(key, None)

    @rule(prefix=st.sampled_from(["", "blobs/", "dumps/0", "f"]))
    def list_them(self, prefix: str) -> None:
        async def listed() -> list[tuple[str, int]]:
            return [(info.key, info.size) async for info in self._store.list(prefix)]

        assert sorted(self._do(listed())) == sorted(
            (key, len(data)) for key, data in self._model.items() if key.startswith(prefix)
        )

    @invariant()
    def the_storage_holds_the_model(self) -> None:
        self._do(self._hooks.assert_holds(self._model))

    def teardown(self) -> None:
        self._do(self._store.delete([*self._model]))


class Sequences(StoreHooks):
    async def test_any_sequence_of_operations(self, store: ObjectStore) -> None:
        loop = asyncio.get_running_loop()

        class Machine(StoreMachine):
            def __init__(machine) -> None:  # noqa: N805  # two selves
                super().__init__(store, self, loop)

        chosen = settings(
            max_examples=self.examples,
            stateful_step_count=20,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        await asyncio.to_thread(run_state_machine_as_test, Machine, settings=chosen)
