"""Figures: all metrics of a process as plain values, and those of several processes as one.

What is counted is added up, with that of workers that have ended, so that no counter ever goes
back. What a process is, such as its memory, has the label ``worker``. Other gauges tell of the
database or a disk, which all have in common: those count that the asked worker has just found out.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from prometheus_client import generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import CollectorRegistry

from app.metrics.families import Gauges, registry

Figures = dict[str, list[Any]]
"""By name of a metric: its documentation, type, and samples (name, labels, value)."""

_COUNTED: Final = frozenset({"counter", "histogram"})


def figures() -> Figures:
    """Return the figures of this process."""
    return {
        metric.name: [
            metric.documentation,
            metric.type,
            [[sample.name, sample.labels, sample.value] for sample in metric.samples],
        ]
        for metric in registry.collect()
    }


def counted(found: Figures) -> Figures:
    """Return of a process's figures what counts when it has ended."""
    return {name: family for name, family in found.items() if family[1] in _COUNTED}


def added(one: Figures, other: Figures) -> Figures:
    """Add figures up; of what isn't added up, those of ``one`` count if it has any."""
    return {name: _added(name, one.get(name), other.get(name)) for name in one | other}


def exposition(by_worker: Mapping[int, Figures], asked: int, ended: Figures) -> bytes:
    """Return all figures in the form of Prometheus; ``asked`` is the worker that makes it."""
    whole: Figures = {}
    for number in sorted(by_worker, key=lambda number: number != asked):
        whole = added(whole, _but_process(by_worker[number]))
    whole = added(whole, ended)
    for number, found in sorted(by_worker.items()):
        for name, (documentation, kind, samples) in found.items():
            if _is_of_process(name, kind):
                labelled = [[n, {**labels, "worker": str(number)}, v] for n, labels, v in samples]
                whole.setdefault(name, [documentation, kind, []])[2] += labelled
    return generate_latest(_Given(whole))


class _Given(CollectorRegistry):
    """A registry of figures."""

    def __init__(self, found: Figures) -> None:
        super().__init__()
        self._found = found

    def collect(self) -> Iterable[Metric]:
        for name, (documentation, kind, samples) in self._found.items():
            metric = Metric(name, documentation, kind)
            for sample, labels, value in samples:
                metric.add_sample(sample, labels, value)
            yield metric


def _but_process(found: Figures) -> Figures:
    return {name: family for name, family in found.items() if not _is_of_process(name, family[1])}


def _is_of_process(name: str, kind: str) -> bool:
    return name.startswith("process_") and kind == "gauge"


def _added(name: str, one: list[Any] | None, other: list[Any] | None) -> list[Any]:
    if one is None or other is None:
        family = one or other
        assert family is not None
        return family
    documentation, kind, samples = one
    if kind not in _COUNTED and name not in Gauges.names:
        return one if samples else other
    sums: dict[tuple[str, tuple[tuple[str, str], ...]], list[Any]] = {}
    for sample, labels, value in (*samples, *other[2]):
        key = sample, tuple(sorted(labels.items()))
        sums.setdefault(key, [sample, labels, 0])[2] += value
    return [documentation, kind, list(sums.values())]
