"""When deliveries are tried again, and when webhooks are paused."""

import random
from email.utils import parsedate_to_datetime
from typing import Final

from app import clock
from app.webhooks.entities import Attempt, PauseReason

_HOUR: Final = 3600
_DELAYS: Final = tuple(
    seconds * clock.SECOND
    for seconds in (
        *(5, 5 * 60, 30 * 60, 2 * _HOUR, 5 * _HOUR),
        *(10 * _HOUR, 14 * _HOUR, 20 * _HOUR, 24 * _HOUR),
    )
)
"""After the first, second, … attempt, as Standard Webhooks recommends."""

_JITTER: Final = 0.1  # of a delay that may be added to it
_LONGEST_WAIT: Final = 24 * _HOUR * clock.SECOND  # that a receiver can ask for
_BUSY: Final = frozenset({429, 503})

MOST_FAILURES: Final = 20
"""After which a webhook is paused that has never worked."""

LONGEST_FAILING: Final = 72 * _HOUR * clock.SECOND
"""After which one is paused that has worked."""


def next_attempt(attempts: int, attempt: Attempt, now: int) -> int | None:
    """Return when to try again after so many attempts, the last included; None: give up."""
    if attempts > len(_DELAYS):
        return None
    delay = _DELAYS[attempts - 1]
    if attempt.retry_after is not None and asks_to_wait(attempt):
        delay = max(delay, min(attempt.retry_after * clock.SECOND, _LONGEST_WAIT))
    return now + round(delay * random.uniform(1, 1 + _JITTER))  # noqa: S311 - spreads load


def asks_to_wait(attempt: Attempt) -> bool:
    """Tell whether a receiver has said when it wants to hear more."""
    return attempt.status in _BUSY and attempt.retry_after is not None


def pause_after(
    attempt: Attempt, failures: int, failing_since: int, *, worked: bool, now: int
) -> PauseReason | None:
    """Return why to pause a webhook after a failure; None: not yet.

    ``failures`` is how many there were in a row; ``worked`` whether one ever succeeded.
    """
    if attempt.ends_all:
        return PauseReason.GONE
    if not worked and failures >= MOST_FAILURES:
        return PauseReason.NEVER_WORKED
    return PauseReason.FAILING if now - failing_since >= LONGEST_FAILING else None


def parse_retry_after(value: str | None, now: int) -> int | None:
    """Return the seconds that a Retry-After asks to wait (RFC 9110 §10.2.3); None: it asks none."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return int(value[:9])
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    return max(0, (clock.from_datetime(moment) - now) // clock.SECOND)
