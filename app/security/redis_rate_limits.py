"""Rate limits that all processes count together, over Redis."""

import asyncio
import hashlib
import time
from collections.abc import Callable
from typing import Any, Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.security.rate_limits import LocalRateLimits, Rule, refusal, whole_seconds

log = structlog.get_logger(__name__)


_COUNT = """
local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return {count, redis.call('PTTL', KEYS[1])}
"""
_CHECK = "return {tonumber(redis.call('GET', KEYS[1]) or 0), redis.call('PTTL', KEYS[1])}"


class RedisRateLimits:
    """Counts over Redis for all processes, and in this one while Redis doesn't answer."""

    TIMEOUT: Final = 0.5  # seconds that an answer may take
    PAUSE: Final = 5.0  # seconds in which a Redis that failed is left alone

    def __init__(self, redis: Redis, *, clock: Callable[[], float] = time.monotonic) -> None:
        """The client is closed by its owner."""
        self._local = LocalRateLimits(clock=clock)
        self._clock = clock
        self._count = redis.register_script(_COUNT)
        self._check = redis.register_script(_CHECK)
        self._paused_until: float | None = None

    async def check(self, rule: Rule, key: str) -> None:
        answer = await self._ask(self._check, rule, key)
        if answer is None:
            await self._local.check(rule, key)
        elif answer[0] >= rule.limit:
            raise refusal(rule, whole_seconds(answer[1]))

    async def count(self, rule: Rule, key: str) -> None:
        answer = await self._ask(self._count, rule, key)
        if answer is None:
            await self._local.count(rule, key)
        elif answer[0] > rule.limit:
            raise refusal(rule, whole_seconds(answer[1]))

    async def _ask(self, script: Any, rule: Rule, key: str) -> tuple[int, int] | None:  # noqa: ANN401
        """Return count and milliseconds left, or None when Redis doesn't answer."""
        if self._paused_until is not None and self._clock() < self._paused_until:
            return None
        name = f"holdall:limit:{rule.name}:{hashlib.sha256(key.encode()).hexdigest()}"
        try:
            async with asyncio.timeout(self.TIMEOUT):
                count, left = await script(keys=[name], args=[rule.seconds * 1000])
        except (RedisError, OSError, TimeoutError) as error:
            if self._paused_until is None:
                log.warning("rate limits count per process: Redis fails", error=repr(error))
            self._paused_until = self._clock() + self.PAUSE
            return None
        if self._paused_until is not None:
            log.info("rate limits count over Redis again")
            self._paused_until = None
        return int(count), int(left)
