"""What workers have in common, in the place of what a process has alone."""

import asyncio
from typing import Final

from app.bus.local import LocalBus
from app.errors import ServiceUnavailable
from app.metrics.figures import Figures, added, counted, exposition, figures
from app.security.rate_limits import Count, CountedRateLimits, LocalRateLimits, Rule
from app.workers.link import Link

_COLLECTING: Final = 5.0  # seconds


class WorkerBus(LocalBus):
    """Carries messages to the subscribers of all workers."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self._link = link
        link.on_deliver = self.deliver

    async def publish(self, topic: str, message: str) -> None:
        await super().publish(topic, message)
        self._link.tell("publish", topic, message)


class WorkerRateLimits(CountedRateLimits):
    """Counts for all workers; in this one while the supervisor doesn't answer."""

    TIMEOUT: Final = 0.5  # seconds

    def __init__(self, link: Link) -> None:
        self._link = link
        self._alone = LocalRateLimits()

    async def look(self, rule: Rule, key: str) -> Count:
        return await self._ask("look", rule, key) or await self._alone.look(rule, key)

    async def add(self, rule: Rule, key: str) -> Count:
        return await self._ask("add", rule, key) or await self._alone.add(rule, key)

    async def _ask(self, question: str, rule: Rule, key: str) -> Count | None:
        try:
            async with asyncio.timeout(self.TIMEOUT):
                facts = (rule.name, rule.limit, rule.seconds)
                count, left = await self._link.ask(question, facts, key)
        except (TimeoutError, ServiceUnavailable):
            return None
        return count, left


class WorkerPermits:
    """Permits that all workers have together; what one has goes back when it ends."""

    def __init__(self, link: Link) -> None:
        self._link = link

    async def acquire(self, name: str, most: int) -> None:
        await self._link.ask("take", name, most, late=lambda _: self.release(name))

    async def try_acquire(self, name: str, most: int) -> bool:
        def late(granted: bool) -> None:  # noqa: FBT001 - an answer
            if granted:
                self.release(name)

        granted: bool = await self._link.ask("try", name, most, late=late)
        return granted

    def release(self, name: str) -> None:
        self._link.tell("give", name)


async def metrics_of_all(link: Link) -> bytes:
    """Return the figures of all workers, in the form of Prometheus.

    Raises `ServiceUnavailable`: those of one worker would make counters go back.
    """
    try:
        async with asyncio.timeout(_COLLECTING):
            found, ended = await link.ask("collect", figures())
    except TimeoutError:
        raise ServiceUnavailable("The supervisor of the workers does not answer") from None
    by_number: dict[int, Figures] = {}
    for number, theirs in found:  # the older first: one that has been replaced may not have ended
        former = by_number.get(number, {})
        by_number[number] = added(theirs, counted(former))
    return exposition(by_number, link.number, ended)
