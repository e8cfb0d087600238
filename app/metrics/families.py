"""Metrics that the event loop alone counts: for every request, without locks.

The library's own take a lock for each figure, 2 to 5 µs; these take a tenth of that. What threads
count stays the library's.
"""

from abc import abstractmethod
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import ClassVar, Final, Generic, TypeVar

from prometheus_client import CollectorRegistry, disable_created_metrics
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

# a line for each series, of no use to Prometheus
disable_created_metrics()  # type: ignore[no-untyped-call]

registry: Final = CollectorRegistry()


class Value:
    """A number, to be added to."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 0


class Distribution:
    """How many observations fell below each bound, and their sum."""

    __slots__ = ("_bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self._bounds, value)] += 1
        self.sum += value


S = TypeVar("S")


class _Family(Collector, Generic[S]):
    """A metric with its series, which are made when they are first asked for."""

    def __init__(self, name: str, documentation: str, labels: Sequence[str] = ()) -> None:
        self._name = name
        self._documentation = documentation
        self._labels = labels
        self._series: dict[tuple[str, ...], S] = {}
        registry.register(self)

    def labels(self, *values: str) -> S:
        """Return the series with these values of the labels."""
        found = self._series.get(values)
        if found is None:
            found = self._series[values] = self._make()
        return found

    @abstractmethod
    def _make(self) -> S: ...


class Counters(_Family[Value]):
    """Counters; ``name`` ends without ``_total``."""

    def collect(self) -> Iterable[Metric]:
        family = CounterMetricFamily(self._name, self._documentation, labels=self._labels)
        for labels, series in self._series.items():
            family.add_metric(labels, series.value)
        yield family

    def _make(self) -> Value:
        return Value()


class Gauges(_Family[Value]):
    """Gauges of what goes on in a process; those of several processes are added up."""

    names: ClassVar[set[str]] = set()

    def __init__(self, name: str, documentation: str, labels: Sequence[str] = ()) -> None:
        super().__init__(name, documentation, labels)
        self.names.add(name)

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(self._name, self._documentation, labels=self._labels)
        for labels, series in self._series.items():
            family.add_metric(labels, series.value)
        yield family

    def _make(self) -> Value:
        return Value()


class Histograms(_Family[Distribution]):
    """Histograms, all with the same bounds."""

    def __init__(
        self, name: str, documentation: str, labels: Sequence[str] = (), *, bounds: Sequence[float]
    ) -> None:
        super().__init__(name, documentation, labels)
        self._bounds = bounds
        self._names = [*(repr(float(bound)) for bound in bounds), "+Inf"]

    def collect(self) -> Iterable[Metric]:
        family = HistogramMetricFamily(self._name, self._documentation, labels=self._labels)
        for labels, series in self._series.items():
            buckets = list(zip(self._names, accumulate(series.counts), strict=True))
            family.add_metric(labels, buckets, series.sum)
        yield family

    def _make(self) -> Distribution:
        return Distribution(self._bounds)
