"""Rate limits: how often something may be tried in a while, counted in process or over Redis."""

import asyncio
import hashlib
import ipaddress
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.config import Settings
from app.errors import TooManyRequests

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Rule:
    """At most ``limit`` in a window of ``seconds``, which begins with the first."""

    name: str
    limit: int
    seconds: int


LOGIN_BY_NAME: Final = Rule("login-name", 10, 300)  # failures
LOGIN_BY_ADDRESS: Final = Rule("login-address", 50, 300)  # failures; offices share an address
SIGN_UP: Final = Rule("sign-up", 200, 600)


class RateLimits(Protocol):
    """Counts what was tried under a rule by each ``key``: a name, an address."""

    async def check(self, rule: Rule, key: str) -> None:
        """Raise `TooManyRequests` when ``key`` has used up what the rule allows."""

    async def count(self, rule: Rule, key: str) -> None:
        """Count one more, and raise `TooManyRequests` when it was one too many."""


class NoRateLimits:
    """Allows everything, for a trusted network."""

    async def check(self, rule: Rule, key: str) -> None:
        del rule, key

    async def count(self, rule: Rule, key: str) -> None:
        del rule, key


class LocalRateLimits:
    """Counts in this process, in bounded memory: of too many keys, the oldest are forgotten."""

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, max_keys: int = 100_000
    ) -> None:
        self._clock = clock
        self._max_keys = max_keys
        self._windows: dict[Rule, dict[str, tuple[int, float]]] = {}

    async def check(self, rule: Rule, key: str) -> None:
        count, left = self._current(rule, key)
        if count >= rule.limit:
            raise TooManyRequests(math.ceil(left))

    async def count(self, rule: Rule, key: str) -> None:
        count, left = self._current(rule, key)
        windows = self._windows.setdefault(rule, {})
        windows[key] = (count + 1, self._clock() + left)
        if len(windows) > self._max_keys:
            del windows[next(iter(windows))]
        if count >= rule.limit:
            raise TooManyRequests(math.ceil(left))

    def _current(self, rule: Rule, key: str) -> tuple[int, float]:
        """Return the count of the window under way and the seconds left of it."""
        windows = self._windows.get(rule, {})
        now = self._clock()
        # one rule's windows are all as long, so they end in the order in which they began
        while windows and next(iter(windows.values()))[1] <= now:
            del windows[next(iter(windows))]
        count, ends_at = windows.get(key, (0, now + rule.seconds))
        return count, ends_at - now


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
        """The client stays its owner's to close."""
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
            raise TooManyRequests(_whole_seconds(answer[1]))

    async def count(self, rule: Rule, key: str) -> None:
        answer = await self._ask(self._count, rule, key)
        if answer is None:
            await self._local.count(rule, key)
        elif answer[0] > rule.limit:
            raise TooManyRequests(_whole_seconds(answer[1]))

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


def create_rate_limits(settings: Settings, redis: Redis | None) -> RateLimits:
    """Make what the settings ask for; ``redis`` is there when `REDIS_URL` is set."""
    if settings.rate_limits == "off":
        return NoRateLimits()
    return LocalRateLimits() if redis is None else RedisRateLimits(redis)


def address_key(host: str | None) -> str:
    """Return what a client's address counts as: an IPv6 user has a whole /64."""
    try:
        address = ipaddress.ip_address((host or "").partition("%")[0])
    except ValueError:
        return host or "unknown"
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address, 64), strict=False))


def _whole_seconds(milliseconds: int) -> int:
    return max(1, math.ceil(milliseconds / 1000))
