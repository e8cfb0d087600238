"""The bus over Redis pub/sub, among the processes of one service."""

import asyncio
import random
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from app.bus.local import LocalBus

_PREFIX: Final = "holdall:bus:"

log = structlog.get_logger(__name__)


class RedisBus:
    """Carries messages to every process that is connected to the same Redis.

    Messages within a process reach its subscribers directly, with or without Redis. All topics
    share one connection, which is made for the first subscriber, and again when it is lost.
    """

    TIMEOUT: Final = 0.5  # seconds that publishing, or joining a topic, may take
    PAUSE: Final = 5.0  # seconds in which a Redis that failed is not published to
    SILENCE: Final = 5.0  # seconds without a message after which Redis is asked if it is there
    FIRST_BACKOFF: Final = 0.1
    MAX_BACKOFF: Final = 5.0

    def __init__(self, url: str) -> None:
        self._local = LocalBus()
        # no retries by the client: whether the connection is there is ours to know
        self._redis: Redis = Redis.from_url(
            url, socket_timeout=2, socket_connect_timeout=2, retry=Retry(NoBackoff(), 0)
        )
        self._origin = secrets.token_hex(8)
        self._listening: asyncio.Task[None] | None = None
        self._topics_changed = asyncio.Event()
        self._joined: dict[str, asyncio.Event] = {}  # by topic: Redis has confirmed it
        self._fails = False
        self._paused_until = 0.0

    async def publish(self, topic: str, message: str) -> None:
        self._local.deliver(topic, message)
        if time.monotonic() < self._paused_until:
            return
        try:
            async with asyncio.timeout(self.TIMEOUT):
                await self._redis.publish(_PREFIX + topic, f"{self._origin} {message}")
        except (RedisError, OSError, TimeoutError) as error:
            self._paused_until = time.monotonic() + self.PAUSE
            self._note_failure(error)
        else:
            self._note_success()

    @asynccontextmanager
    async def subscribe(self, topic: str) -> AsyncIterator[AsyncIterator[str]]:
        async with self._local.subscribe(topic) as messages:
            try:
                await self._join(topic)
                yield messages
            finally:
                self._topics_changed.set()

    async def aclose(self) -> None:
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
        await self._redis.aclose()

    async def _join(self, topic: str) -> None:
        """Wait a while for the subscription to other processes' messages."""
        self._topics_changed.set()
        if self._listening is None:
            self._listening = asyncio.create_task(self._listen(), name="bus")
        with suppress(TimeoutError):
            async with asyncio.timeout(self.TIMEOUT):
                await self._joined.setdefault(topic, asyncio.Event()).wait()

    async def _listen(self) -> None:
        """Keep a connection that is subscribed to the topics."""
        backoff = self.FIRST_BACKOFF
        while True:
            try:
                async with self._redis.pubsub() as pubsub:
                    await pubsub.connect()
                    backoff = self.FIRST_BACKOFF
                    self._note_success()
                    async with asyncio.TaskGroup() as tasks:
                        tasks.create_task(self._follow_topics(pubsub))
                        tasks.create_task(self._receive(pubsub))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is tried again
                self._note_failure(error)
            for joined in self._joined.values():
                joined.set()  # nobody needs to wait for what may not come
            self._joined.clear()
            await asyncio.sleep(backoff * random.uniform(0.5, 1))  # noqa: S311 - no secret
            backoff = min(backoff * 2, self.MAX_BACKOFF)

    async def _follow_topics(self, pubsub: PubSub) -> None:
        """Subscribe to this process's topics, as they change."""
        followed: frozenset[str] = frozenset()
        while True:
            self._topics_changed.clear()
            before, followed = followed, self._local.topics
            self._joined = {t: self._joined.get(t) or asyncio.Event() for t in followed}
            if left := [_PREFIX + topic for topic in before - followed]:
                await pubsub.unsubscribe(*left)
            if new := [_PREFIX + topic for topic in followed - before]:
                await pubsub.subscribe(*new)
            await self._topics_changed.wait()

    async def _receive(self, pubsub: PubSub) -> None:
        """Pass on incoming messages; raises when Redis falls silent."""
        is_asked = False
        while True:
            message = await pubsub.get_message(timeout=self.SILENCE)
            if message is not None:
                is_asked = False
                self._handle(message)
            elif is_asked:
                raise ConnectionError("Redis has fallen silent")
            else:
                is_asked = True
                await pubsub.ping()

    def _handle(self, message: dict[str, Any]) -> None:
        topic = (message["channel"] or b"").decode(errors="replace").removeprefix(_PREFIX)
        if message["type"] == "subscribe":
            if topic in self._joined:
                self._joined[topic].set()
        elif message["type"] == "message":
            origin, _, text = message["data"].decode(errors="replace").partition(" ")
            if origin != self._origin:  # its own have been delivered already
                self._local.deliver(topic, text)

    def _note_failure(self, error: Exception) -> None:
        if not self._fails:
            log.warning("live events stay in this process: Redis fails", error=repr(error))
        self._fails = True

    def _note_success(self) -> None:
        if self._fails:
            log.info("live events go to all processes again")
        self._fails = False
        self._paused_until = 0.0
