"""What a measurement yields: figures in rounds, and targets that they reach or miss."""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

MIB = 2**20
GIB = 2**30

HOLDALL = "Holdall"
ALONE = "Holdall, one worker"
EARLIER = "Holdall, earlier"
NO_SLOWER = 0.95
"""Of an earlier commit's rate, what today's has to reach: the rest is noise."""

Figures = dict[str, list[float]]
"""The figure of each round by the name of what was measured, in the order of the rounds."""


@dataclass(frozen=True)
class Plan:
    """How much a run does; sizes in bytes, times in seconds."""

    large: int
    huge: int
    rounds: int
    seconds: int
    seeded: int
    rows: int
    against: Path | None = None
    """The files of an earlier commit, where Holdall is measured against that."""


FULL = Plan(large=GIB, huge=5 * GIB, rounds=5, seconds=5, seeded=5000, rows=1_000_000)
QUICK = Plan(large=64 * MIB, huge=256 * MIB, rounds=2, seconds=2, seeded=300, rows=20_000)


@dataclass(frozen=True)
class Target:
    """What a figure has to reach, and what it reached."""

    text: str
    reached: float
    limit: float
    at_least: bool = True

    @property
    def is_met(self) -> bool:
        """Whether it is reached."""
        return self.reached >= self.limit if self.at_least else self.reached <= self.limit


@dataclass(frozen=True)
class Result:
    """One line of the table: a kind of work, its figures and its targets."""

    work: str
    unit: str
    figures: Figures
    targets: list[Target]
    notes: list[str] = field(default_factory=list)


Measure = Callable[[Plan], list[Result]]


def interleave(rounds: int, tasks: Mapping[str, Callable[[], float]]) -> Figures:
    """Run the tasks in turn, A B A B, after a first round that isn't counted."""
    figures: Figures = {name: [] for name in tasks}
    for number in range(rounds + 1):
        for name, task in tasks.items():
            figure = task()
            if number:
                figures[name].append(figure)
    return figures


def median(figures: Figures, name: str) -> float:
    """Return the median of a name's rounds."""
    return statistics.median(figures[name])


def ratio(figures: Figures, name: str, other: str) -> float:
    """Return the median of the rounds' own ratios, which a noisy hour disturbs least."""
    pairs = zip(figures[name], figures[other], strict=True)
    return statistics.median(mine / theirs for mine, theirs in pairs)


def percentile(values: list[float], percent: float) -> float:
    """Return the value that ``percent`` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def beats(figures: Figures, peer: str, limit: float) -> Target:
    """Make the target that Holdall is at least ``limit`` times a peer."""
    return Target(f"≥ {limit}x {peer}", ratio(figures, HOLDALL, peer), limit)


def targets(
    plan: Plan, figures: Figures, peers: Mapping[str, float], *others: Target
) -> list[Target]:
    """Make the targets against the peers that ran: Holdall's earlier self, or those with limits."""
    if plan.against is not None:
        return [beats(figures, EARLIER, NO_SLOWER)]
    return [*others, *(beats(figures, peer, limit) for peer, limit in peers.items())]
