"""What the service counts about itself, for Prometheus."""

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
