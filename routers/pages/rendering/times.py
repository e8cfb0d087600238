"""Moments in pages: in UTC, which they say, until a script shows them in the reader's own time."""

from datetime import UTC, datetime
from typing import Final

from markupsafe import Markup

from app import clock
from app.words import moment_in_words, time_in_words

_SOON: Final = 3600  # seconds: what ends within them looks so


def when(moment: int | datetime, name: str = "") -> Markup:
    """Return a moment in words, with the exact one in its title; ``name`` is its class."""
    at = _utc(moment)
    words = moment_in_words(at, _utc(clock.now()))
    return _time(at, "data-local", f"{words} UTC" if ":" in words else words, name)


def left(moment: int | datetime) -> Markup:
    """Return the time until a moment, with that in its title."""
    seconds = seconds_left(moment)
    words = time_in_words(seconds) if seconds > 0 else "ended"
    return _time(_utc(moment), "data-left", words, "soon" if seconds < _SOON else "")


def seconds_left(moment: int | datetime) -> int:
    """Return the whole seconds until a moment; negative once it has passed."""
    return int((_utc(moment) - _utc(clock.now())).total_seconds())


def iso(moment: int | datetime) -> str:
    """Return a moment as RFC 3339 has it, for ``<time datetime>``."""
    return f"{_utc(moment):%Y-%m-%dT%H:%M:%SZ}"


def _utc(moment: int | datetime) -> datetime:
    """Return a moment, given as such or in microseconds."""
    return clock.to_datetime(moment) if isinstance(moment, int) else moment.astimezone(UTC)


def _time(moment: datetime, kind: str, words: str, name: str) -> Markup:
    return Markup('<time{} datetime="{}" title="{}" {}>{}</time>').format(
        Markup(' class="{}"').format(name) if name else "",
        iso(moment),
        f"{moment:%A, %-d %B %Y, %H:%M:%S} UTC",
        kind,
        words,
    )
