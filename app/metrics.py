"""Metrics of the service, for Prometheus."""

from functools import lru_cache
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

registry = CollectorRegistry()
ProcessCollector(registry=registry)
PlatformCollector(registry=registry)
GCCollector(registry=registry)

requests = Counter(
    "holdall_requests", "Answered requests", ["method", "route", "status"], registry=registry
)
request_seconds = Histogram(
    "holdall_request_seconds", "Time from request to the answer's end", ["method", "route"],
    registry=registry,
)  # fmt: skip
dropped_log_lines = Counter(
    "holdall_dropped_log_lines", "Log lines that nobody was there to read", registry=registry
)
bytes_in = Counter("holdall_received_bytes", "Bytes of bodies received", registry=registry)
bytes_out = Counter("holdall_sent_bytes", "Bytes of content sent", registry=registry)
task_runs = Counter(
    "holdall_task_batches", "Batches of background tasks", ["task", "outcome"], registry=registry
)
task_lag = Gauge(
    "holdall_task_lag_seconds",
    "How late a task's most overdue work is",
    ["task"],
    registry=registry,
)
damaged_objects = Counter(
    "holdall_damaged_objects", "Reads of objects whose bytes are missing", registry=registry
)
reconcile_findings = Gauge(
    "holdall_reconcile_findings",
    "What the last comparison found wrong",
    ["kind"],
    registry=registry,
)

_METHODS: Final = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}
)


def count_request(method: str, route: str, status: str, seconds: float) -> None:
    """Count an answered request; ``route`` is a template such as ``/v1/blobs/{id}``.

    Unknown methods count as one, so that clients can't make new series.
    """
    counter, histogram = _series(method if method in _METHODS else "other", route, status)
    counter.inc()
    histogram.observe(seconds)


@lru_cache(maxsize=4096)  # `labels` takes twice as long as the counting itself
def _series(method: str, route: str, status: str) -> tuple[Counter, Histogram]:
    return requests.labels(method, route, status), request_seconds.labels(method, route)
