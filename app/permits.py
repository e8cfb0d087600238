"""Permits: how much of something may be done at once, by all workers of a service together."""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from typing import Protocol


class Permits(Protocol):
    """Permits by name, of which there are so many at most."""

    async def acquire(self, name: str, most: int) -> None:
        """Take one, as soon as there is one."""

    async def try_acquire(self, name: str, most: int) -> bool:
        """Take one if there is one; returns whether."""

    def release(self, name: str) -> None:
        """Give one back."""


class PermitCounts:
    """The permits that are taken, and who waits for one."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()
        self._waiting: defaultdict[str, deque[Callable[[], None]]] = defaultdict(deque)

    def take(self, name: str, most: int) -> bool:
        """Take a permit if there is one; returns whether."""
        if self._taken[name] >= most:
            return False
        self._taken[name] += 1
        return True

    def take_later(self, name: str, most: int, granted: Callable[[], None]) -> None:
        """Take a permit, now or as soon as there is one, and tell so."""
        if self.take(name, most):
            granted()
        else:
            self._waiting[name].append(granted)

    def give(self, name: str) -> None:
        """Give a permit back, to whoever has waited longest."""
        if waiting := self._waiting.get(name):
            waiting.popleft()()
            return
        self._waiting.pop(name, None)
        self._taken[name] -= 1
        if not self._taken[name]:
            del self._taken[name]


class LocalPermits:
    """Permits within this process."""

    def __init__(self) -> None:
        self._counts = PermitCounts()

    async def acquire(self, name: str, most: int) -> None:
        granted: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def grant() -> None:
            if granted.cancelled():
                self._counts.give(name)
            else:
                granted.set_result(None)

        self._counts.take_later(name, most, grant)
        try:
            await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled():  # both at once
                self._counts.give(name)
            raise

    async def try_acquire(self, name: str, most: int) -> bool:
        return self._counts.take(name, most)

    def release(self, name: str) -> None:
        self._counts.give(name)
