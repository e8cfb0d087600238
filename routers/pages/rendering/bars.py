"""Where the bars of a chart go: numbers for an SVG that is stretched to the room there is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

HEIGHT: Final = 100
_GAP: Final = 0.2  # of the width that a day has
_LEAST: Final = 2.0  # that a day with a single dump is seen, beside one with thousands


@dataclass(frozen=True, slots=True)
class Bar:
    """A day of a chart, which is one unit wide and `HEIGHT` high."""

    day: date
    count: int
    left: int
    """Where the day begins."""
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Bars side by side, one for each day."""

    bars: Sequence[Bar]
    peak: Bar
    """The highest, and of equal ones the latest."""

    @property
    def width(self) -> int:
        return len(self.bars)

    @property
    def total(self) -> int:
        return sum(bar.count for bar in self.bars)


def draw(days: Sequence[tuple[date, int]]) -> Chart:
    """Make the chart of some days, at least one."""
    highest = max(1, *(count for _, count in days))
    bars = [_bar(left, day, count, highest) for left, (day, count) in enumerate(days)]
    return Chart(bars, max(bars, key=lambda bar: (bar.count, bar.day)))


def _bar(left: int, day: date, count: int, highest: int) -> Bar:
    height = max(_LEAST, round(HEIGHT * count / highest, 2)) if count else 0.0
    return Bar(
        day=day,
        count=count,
        left=left,
        x=left + _GAP / 2,
        y=HEIGHT - height,
        width=1 - _GAP,
        height=height,
    )
