"""Rate limits: how often something may be tried in a while, counted in process or over Redis."""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from app import metrics
from app.errors import NotFound, TooManyRequests
from app.security.addresses import networks_of


@dataclass(frozen=True, slots=True)
class Rule:
    """At most ``limit`` in a window of ``seconds``, which begins with the first."""

    name: str
    limit: int
    seconds: int

    @property
    def of_site(self) -> "Rule":
        """The looser rule for all of a site's networks together."""
        return Rule(f"{self.name}-site", SITE * self.limit, self.seconds)


SITE: Final = 4
"""How many times as often as one network a site may try."""

MAX_KEYS: Final = 100_000
"""Keys that are counted for each rule at most."""

Count = tuple[int, float]
"""How often something was tried in the current window, and the seconds that are left of it."""

Counter = tuple[Rule, str]
"""A rule, and what it counts: a name, an address, both."""


# of logins only failures count, so that nobody can lock others out; a device that has signed in
# before is counted by itself
LOGIN: Final = Rule("login", 10, 300)  # a name from an address, or from a known device
LOGIN_BY_NAME: Final = Rule("login-name", 100, 900)
LOGIN_BY_ADDRESS: Final = Rule("login-address", 50, 300)  # offices share an address
PASSWORD_CHECK: Final = Rule("password-check", 10, 300)  # failures of a session
# wrong codes after a right password: at 20 an hour, one of six digits is found in two years
SECOND_FACTOR: Final = Rule("second-factor", 20, 3600)
SIGN_UP: Final = Rule("sign-up", 200, 600)
LINK_MISSES: Final = Rule("link-misses", 300, 300)  # public links that lead nowhere, an address
LINK_PASSWORD: Final = Rule("link-password", 100, 300)  # failures
LINK_PASSWORD_BY_ADDRESS: Final = Rule("link-password-address", 10, 300)  # failures, a link

INBOX_GIFTS: Final = Rule("inbox-gifts", 1000, 300)  # files from an address to an inbox
WEBHOOK_SENDS: Final = Rule("webhook-sends", 100, 300)  # tests and retries of an account


class RateLimits(Protocol):
    """Counts attempts under a rule for each ``key``: a name, an address."""

    async def check(self, rule: Rule, key: str) -> None:
        """Raise `TooManyRequests` when ``key`` has used up what the rule allows."""

    async def count(self, rule: Rule, key: str) -> None:
        """Count one more, and raise `TooManyRequests` when it was one too many."""


def by_address(rule: Rule, address: str, *names: str) -> list[Counter]:
    """Return the counters of a client at ``address``; different ``names`` are counted apart."""
    network, *site = networks_of(address)
    counters = [(rule, " ".join((*names, network)))]
    return counters + [(rule.of_site, " ".join((*names, wider))) for wider in site]


async def check_all(limits: "RateLimits", counters: Sequence[Counter]) -> None:
    """Raise `TooManyRequests` when any of the counters has used up what its rule allows."""
    for rule, key in counters:
        await limits.check(rule, key)


async def count_all(limits: "RateLimits", counters: Sequence[Counter]) -> None:
    """Count one more by each counter, and raise `TooManyRequests` when it was one too many."""
    refusal: TooManyRequests | None = None
    for rule, key in counters:
        try:
            await limits.count(rule, key)
        except TooManyRequests as error:
            refusal = error
    if refusal is not None:
        raise refusal


@asynccontextmanager
async def counting_misses(limits: "RateLimits", address: str) -> AsyncIterator[None]:
    """Count a visit that ends in `NotFound`; raises `TooManyRequests` after too many."""
    counters = by_address(LINK_MISSES, address)
    await check_all(limits, counters)
    try:
        yield
    except NotFound:
        await count_all(limits, counters)
        raise


class NoRateLimits:
    """Allows everything; for trusted networks."""

    async def check(self, rule: Rule, key: str) -> None:
        del rule, key

    async def count(self, rule: Rule, key: str) -> None:
        del rule, key


class CountedRateLimits(ABC):
    """Refuses what has been counted too often, wherever that is done."""

    async def check(self, rule: Rule, key: str) -> None:
        count, left = await self.look(rule, key)
        if count >= rule.limit:
            raise refusal(rule, left)

    async def count(self, rule: Rule, key: str) -> None:
        count, left = await self.add(rule, key)
        if count > rule.limit:
            raise refusal(rule, left)

    @abstractmethod
    async def look(self, rule: Rule, key: str) -> Count:
        """Return the count of the current window, and the seconds that are left of it."""

    @abstractmethod
    async def add(self, rule: Rule, key: str) -> Count:
        """Count one more; returns what `look` would."""


class Windows:
    """Counts by rule and key, up to a number of keys, beyond which the oldest are forgotten."""

    def __init__(self, clock: Callable[[], float], max_keys: int) -> None:
        self._clock = clock
        self._max_keys = max_keys
        self._windows: dict[Rule, dict[str, tuple[int, float]]] = {}

    def look(self, rule: Rule, key: str) -> Count:
        windows = self._windows.get(rule, {})
        now = self._clock()
        # one rule's windows are all as long, so they end in the order in which they began
        while windows and next(iter(windows.values()))[1] <= now:
            del windows[next(iter(windows))]
        count, ends_at = windows.get(key, (0, now + rule.seconds))
        return count, ends_at - now

    def add(self, rule: Rule, key: str) -> Count:
        count, left = self.look(rule, key)
        windows = self._windows.setdefault(rule, {})
        windows[key] = (count + 1, self._clock() + left)
        if len(windows) > self._max_keys:
            del windows[next(iter(windows))]
        return count + 1, left


class LocalRateLimits(CountedRateLimits):
    """Counts in this process."""

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, max_keys: int = MAX_KEYS
    ) -> None:
        self._windows = Windows(clock, max_keys)

    async def look(self, rule: Rule, key: str) -> Count:
        return self._windows.look(rule, key)

    async def add(self, rule: Rule, key: str) -> Count:
        return self._windows.add(rule, key)


def refusal(rule: Rule, seconds: float) -> TooManyRequests:
    """Make, and count, the refusal of what a rule allows again after so many seconds."""
    metrics.rate_limit_refusals.labels(rule.name).value += 1
    return TooManyRequests(max(1, math.ceil(seconds)))
