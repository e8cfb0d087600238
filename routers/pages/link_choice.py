"""What a form for a new link offers: the times for which it may be."""

from typing import Any, Final

from app.accounts.identity import Tier
from app.config import Settings

USUAL_TIME: Final = 3600
"""Seconds that are chosen at first."""

_TIMES: Final = (300, 900, 3600, 3 * 3600, 8 * 3600, 86_400, 7 * 86_400, 30 * 86_400)  # seconds


def link_choice(settings: Settings, tier: Tier) -> dict[str, Any]:
    """Return what templates of such forms need: those times that are allowed, and the longest."""
    longest = min(settings.max_link_time, tier.max_lifetime or settings.max_link_time)
    allowed = {seconds for seconds in within(_TIMES, longest) if seconds >= settings.min_link_time}
    times = sorted(allowed | {longest})
    usual = max((seconds for seconds in times if seconds <= USUAL_TIME), default=times[0])
    return {"link_times": times, "usual_link_time": usual}


def within(times: tuple[int, ...], longest: int | None) -> set[int]:
    """Return the times that aren't longer than allowed."""
    return {seconds for seconds in times if longest is None or seconds <= longest}
