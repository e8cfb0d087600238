"""The drill's table: how long until it went on, and what failed meanwhile."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from drill.load import LANES, Outcome

_HEADINGS = ("killed", "back after", *(f"{lane} after" for lane in LANES), "requests", "failed")


@dataclass(frozen=True)
class Episode:
    """A loss: when it was killed, when it was back, and when the next one began."""

    name: str
    killed: float
    back: float
    ended: float


def table(episodes: Sequence[Episode], outcomes: Sequence[Outcome]) -> str:
    """Return the table in Markdown."""
    return markdown(_HEADINGS, [_row(episode, outcomes) for episode in episodes])


def markdown(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown, whose columns are aligned."""
    rows = [headings, *lines]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * width for width in widths])
    return "\n".join(
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))} |"
        for row in rows
    )


def failures(outcomes: Sequence[Outcome]) -> str:
    """Return what kinds of failures there were, and how often."""
    counted = Counter(outcome.failure for outcome in outcomes if outcome.failure)
    return (
        ", ".join(f"{count} of {failure}" for failure, count in sorted(counted.items())) or "none"
    )


def _row(episode: Episode, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    concerned = [o for o in outcomes if episode.killed <= o.ended < episode.ended]
    return (
        episode.name,
        _seconds(episode.back - episode.killed),
        *(_seconds(_first_success(lane, episode.killed, concerned)) for lane in LANES),
        str(len(concerned)),
        failures(concerned),
    )


def _first_success(lane: str, since: float, outcomes: Sequence[Outcome]) -> float | None:
    """Return the seconds until a request that began after a moment had succeeded."""
    ended = [o.ended for o in outcomes if o.lane == lane and o.begun >= since and not o.failure]
    return min(ended) - since if ended else None


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.2f} s"
