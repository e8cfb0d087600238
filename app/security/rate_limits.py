"""Rate limits: how often something may be tried in a while, counted in process or over Redis."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from app import metrics
from app.errors import TooManyRequests
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

Counter = tuple[Rule, str]
"""A rule, and what it counts: a name, an address, both."""


# of logins only failures count, so that nobody can lock others out; a device that has signed in
# before is counted by itself
LOGIN: Final = Rule("login", 10, 300)  # a name from an address, or from a known device
LOGIN_BY_NAME: Final = Rule("login-name", 100, 900)
LOGIN_BY_ADDRESS: Final = Rule("login-address", 50, 300)  # offices share an address
PASSWORD_CHECK: Final = Rule("password-check", 10, 300)  # failures of a session
SIGN_UP: Final = Rule("sign-up", 200, 600)
LINK_MISSES: Final = Rule("link-misses", 300, 300)  # public links that lead nowhere, an address
LINK_PASSWORD: Final = Rule("link-password", 100, 300)  # failures
LINK_PASSWORD_BY_ADDRESS: Final = Rule("link-password-address", 10, 300)  # failures, a link

INBOX_GIFTS: Final = Rule("inbox-gifts", 1000, 300)  # files from an address to an inbox


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


class NoRateLimits:
    """Allows everything; for trusted networks."""

    async def check(self, rule: Rule, key: str) -> None:
        del rule, key

    async def count(self, rule: Rule, key: str) -> None:
        del rule, key


class LocalRateLimits:
    """Counts in this process, up to a number of keys, beyond which the oldest are forgotten."""

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, max_keys: int = 100_000
    ) -> None:
        self._clock = clock
        self._max_keys = max_keys
        self._windows: dict[Rule, dict[str, tuple[int, float]]] = {}

    async def check(self, rule: Rule, key: str) -> None:
        count, left = self._current(rule, key)
        if count >= rule.limit:
            raise refusal(rule, math.ceil(left))

    async def count(self, rule: Rule, key: str) -> None:
        count, left = self._current(rule, key)
        windows = self._windows.setdefault(rule, {})
        windows[key] = (count + 1, self._clock() + left)
        if len(windows) > self._max_keys:
            del windows[next(iter(windows))]
        if count >= rule.limit:
            raise refusal(rule, math.ceil(left))

    def _current(self, rule: Rule, key: str) -> tuple[int, float]:
        """Return the count of the current window, and the seconds that are left of it."""
        windows = self._windows.get(rule, {})
        now = self._clock()
        # one rule's windows are all as long, so they end in the order in which they began
        while windows and next(iter(windows.values()))[1] <= now:
            del windows[next(iter(windows))]
        count, ends_at = windows.get(key, (0, now + rule.seconds))
        return count, ends_at - now


def refusal(rule: Rule, seconds: int) -> TooManyRequests:
    """Make, and count, the refusal of what a rule allows again after so many seconds."""
    metrics.rate_limit_refusals.labels(rule.name).value += 1
    return TooManyRequests(seconds)


def whole_seconds(milliseconds: int) -> int:
    return max(1, math.ceil(milliseconds / 1000))
