"""What a form for a new link offers: the times for which it may be."""

from typing import Any, Final

from app.accounts.identity import Tier
from app.config import Settings

USUAL_TIME: Final = 3600
"""Seconds that are chosen at first."""

_TIMES: Final = (300, 900, 3600, 3 * 3600, 8 * 3600, 86_400, 7 * 86_400, 30 * 86_400)  # seconds


def link_choice(settings: Settings, tier: Tier) -> dict[str, Any]:
    """Return what templates of such forms need: those times that are allowed, and the longest."""
    times, usual = times_for(settings, tier, _TIMES, USUAL_TIME)
    return {"link_times": times, "usual_link_time": usual}


def times_for(
    settings: Settings, tier: Tier, times: tuple[int, ...], usual: int
) -> tuple[list[int], int]:
    """Return those times that are allowed, with the longest, and the one that is chosen at first.

    That is ``usual``, or what is allowed instead.
    """
    longest = min(settings.max_link_time, tier.max_lifetime or settings.max_link_time)
    allowed = {seconds for seconds in within(times, longest) if seconds >= settings.min_link_time}
    offered = sorted(allowed | {longest})
    return offered, max((time for time in offered if time <= usual), default=offered[0])


def within(times: tuple[int, ...], longest: int | None) -> set[int]:
    """Return the times that aren't longer than allowed."""
    return {seconds for seconds in times if longest is None or seconds <= longest}
