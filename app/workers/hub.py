"""The hub: what workers tell each other, and have in common, goes through their supervisor."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from app.permits import PermitCounts
from app.security.rate_limits import MAX_KEYS, Rule, Windows
from app.workers.channel import Channel
from app.workers.collection import Collection
from app.workers.processes import Worker


class Hub:
    """Passes on messages, counts for all workers, and names the one that leads.

    The leader does the background work, until it ends.
    """

    def __init__(self) -> None:
        self._attending: dict[Worker, asyncio.Task[None]] = {}
        self._leader: Worker | None = None
        self._windows = Windows(time.monotonic, MAX_KEYS)
        self._permits = PermitCounts()
        self._taken: defaultdict[Worker, Counter[str]] = defaultdict(Counter)
        self._collection = Collection()
        self._handlers: Mapping[str, Callable[..., None]] = {
            "ready": self._note_ready,
            "publish": self._publish,
            "wake": self._wake,
            "look": self._look,
            "add": self._add,
            "take": self._take,
            "try": self._try,
            "give": self._give,
            "figures": self._collection.note,
            "collect": self._collect,
        }

    async def attend(self, worker: Worker) -> None:
        """Begin to answer a worker's messages, which goes on until it ends."""
        worker.channel = channel = await Channel.over(worker.connection)
        self._attending[worker] = asyncio.create_task(self._attend(worker, channel))

    async def aclose(self) -> None:
        """Return when all workers have hung up, as they do at their end."""
        await asyncio.gather(*self._attending.values())
        await self._collection.aclose()

    async def _attend(self, worker: Worker, channel: Channel) -> None:
        try:
            while (message := await channel.receive()) is not None:
                self._handlers[message[0]](worker, *message[1:])
        finally:
            worker.channel = None
            channel.close()
            del self._attending[worker]
            self._forget(worker)

    def _forget(self, worker: Worker) -> None:
        if self._leader is worker:
            self._leader = None
            self._find_leader()
        for name in self._taken.pop(worker, Counter[str]()).elements():
            self._permits.give(name)
        self._collection.forget(worker)

    # background work

    def _note_ready(self, worker: Worker) -> None:
        worker.ready.set()
        self._find_leader()

    def _find_leader(self) -> None:
        if self._leader is None:
            ready = (worker for worker in self._attending if worker.ready.is_set())
            self._leader = min(ready, key=lambda worker: worker.number, default=None)
            if self._leader is not None:
                self._leader.send("lead")

    def _wake(self, _: Worker, task: str) -> None:
        if self._leader is not None:  # the next one wakes all of its tasks
            self._leader.send("wake", task)

    # events

    def _publish(self, worker: Worker, topic: str, text: str) -> None:
        for other in self._attending:
            if other is not worker:
                other.send("deliver", topic, text)

    # rate limits

    def _look(self, worker: Worker, number: int, rule: list[Any], key: str) -> None:
        worker.send("answer", number, self._windows.look(Rule(*rule), key))

    def _add(self, worker: Worker, number: int, rule: list[Any], key: str) -> None:
        worker.send("answer", number, self._windows.add(Rule(*rule), key))

    # permits

    def _take(self, worker: Worker, number: int, name: str, most: int) -> None:
        self._permits.take_later(name, most, partial(self._grant, worker, number, name))

    def _try(self, worker: Worker, number: int, name: str, most: int) -> None:
        if self._permits.take(name, most):
            self._grant(worker, number, name)
        else:
            worker.send("answer", number, False)  # noqa: FBT003 - an answer

    def _grant(self, worker: Worker, number: int, name: str) -> None:
        if worker not in self._attending:  # it has ended while it waited
            self._permits.give(name)
            return
        self._taken[worker][name] += 1
        worker.send("answer", number, True)  # noqa: FBT003 - an answer

    def _give(self, worker: Worker, name: str) -> None:
        self._taken[worker][name] -= 1
        self._permits.give(name)

    # metrics

    def _collect(self, worker: Worker, number: int, figures: dict[str, Any]) -> None:
        self._collection.note(worker, figures)
        self._collection.begin(worker, number, self._attending)
