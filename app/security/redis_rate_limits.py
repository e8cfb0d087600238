"""Rate limits that all processes count together, over Redis."""

import asyncio
import hashlib
import time
from collections.abc import Callable
from typing import Any, Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.security.rate_limits import Count, CountedRateLimits, LocalRateLimits, Rule

log = structlog.get_logger(__name__)


_COUNT = """
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return {count, redis.call('PTTL', KEYS[1])}
"""
_CHECK = "return {tonumber(redis.call('GET', KEYS[1]) or 0), redis.call('PTTL', KEYS[1])}"


class RedisRateLimits(CountedRateLimits):
    """Counts over Redis for all processes, and as it would without while Redis doesn't answer."""

    TIMEOUT: Final = 0.5  # seconds that an answer may take
    PAUSE: Final = 5.0  # seconds in which a Redis that failed is left alone

    def __init__(
        self,
        redis: Redis,
        *,
        clock: Callable[[], float] = time.monotonic,
        without: CountedRateLimits | None = None,
    ) -> None:
        """The client is closed by its owner; ``without`` is what counts without Redis."""
        self._without = without or LocalRateLimits(clock=clock)
        self._clock = clock
        self._add = redis.register_script(_COUNT)
        self._look = redis.register_script(_CHECK)
        self._paused_until: float | None = None

    async def look(self, rule: Rule, key: str) -> Count:
        return await self._ask(self._look, rule, key) or await self._without.look(rule, key)

    async def add(self, rule: Rule, key: str) -> Count:
        return await self._ask(self._add, rule, key) or await self._without.add(rule, key)

    async def _ask(self, script: Any, rule: Rule, key: str) -> Count | None:  # noqa: ANN401
        """Return what Redis has counted, or None when it doesn't answer."""
        if self._paused_until is not None and self._clock() < self._paused_until:
            return None
        name = f"holdall:limit:{rule.name}:{hashlib.sha256(key.encode()).hexdigest()}"
        try:
            async with asyncio.timeout(self.TIMEOUT):
                count, left = await script(keys=[name], args=[rule.seconds * 1000])
        except (RedisError, OSError, TimeoutError) as error:
            if self._paused_until is None:
                log.warning("rate limits count per host: Redis fails", error=repr(error))
            self._paused_until = self._clock() + self.PAUSE
            return None
        if self._paused_until is not None:
            log.info("rate limits count over Redis again")
            self._paused_until = None
        return int(count), int(left) / 1000
