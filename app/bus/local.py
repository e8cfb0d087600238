"""The bus: hints that something has changed, within this process or among all."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, Protocol

BACKLOG: Final = 16
"""Messages that are kept for a slow subscriber; beyond them the oldest are lost."""


class Bus(Protocol):
    """Carries short messages from publishers to the subscribers of a topic.

    They are hints, and nothing may depend on them: a slow subscriber loses the older ones, and one
    in another process may lose any. Publish after the commit. Publishing never fails, and never
    waits for a subscriber.
    """

    async def publish(self, topic: str, message: str) -> None:
        """Pass a message on to the current subscribers."""

    def subscribe(self, topic: str) -> AbstractAsyncContextManager[AsyncIterator[str]]:
        """Subscribe while the context lasts; yields an endless iterator of messages.

        Waiting for the next message may be cancelled and resumed.
        """


class Subscription:
    """The messages that one subscriber has yet to take, at most `BACKLOG`."""

    def __init__(self) -> None:
        self._messages: deque[str] = deque(maxlen=BACKLOG)
        self._arrived = asyncio.Event()

    def put(self, message: str) -> None:
        self._messages.append(message)
        self._arrived.set()

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        while not self._messages:
            self._arrived.clear()
            await self._arrived.wait()
        return self._messages.popleft()


class LocalBus:
    """Carries messages within this process."""

    def __init__(self) -> None:
        self._subscriptions: dict[str, set[Subscription]] = {}

    @property
    def topics(self) -> frozenset[str]:
        """The topics that have subscribers."""
        return frozenset(self._subscriptions)

    async def publish(self, topic: str, message: str) -> None:
        self.deliver(topic, message)

    def deliver(self, topic: str, message: str) -> None:
        """Pass a message on, at once."""
        for subscription in self._subscriptions.get(topic, ()):
            subscription.put(message)

    @asynccontextmanager
    async def subscribe(self, topic: str) -> AsyncIterator[AsyncIterator[str]]:
        subscription = Subscription()
        self._subscriptions.setdefault(topic, set()).add(subscription)
        try:
            yield subscription
        finally:
            listening = self._subscriptions[topic]
            listening.discard(subscription)
            if not listening:
                del self._subscriptions[topic]
