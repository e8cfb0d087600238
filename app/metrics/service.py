"""Metrics of the service's parts: database, stores, children, tasks, disks."""

from typing import Final

from prometheus_client import Counter, Gauge, Info
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from app import VERSION
from app.metrics.families import Counters, Gauges, Histograms, registry

ProcessCollector(registry=registry)
PlatformCollector(registry=registry)
GCCollector(registry=registry)
Info("holdall_build", "The version that runs", registry=registry).info({"version": VERSION})

_WAITS: Final = (0.001, 0.005, 0.025, 0.1, 0.5, 1, 2.5, 10)
_TRANSFERS: Final = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60, 600, 3600, 14400)

loop_lag: Final = Histograms(
    "holdall_event_loop_lag_seconds",
    "How late the event loop comes to a timer of every half second",
    bounds=_WAITS,
).labels()

commit_writes: Final = Histograms(
    "holdall_database_commit_writes",
    "Writes that came to the database together, to share a commit",
    bounds=(1, 2, 4, 8, 16, 32, 64, 128),
).labels()
database_wait: Final = Histograms(
    "holdall_database_wait_seconds",
    "Wait for a turn: of SQLite's writer or readers, of a PostgreSQL connection",
    ("queue",),
    bounds=_WAITS,
)

store_seconds: Final = Histograms(
    "holdall_store_operation_duration_seconds",
    "Time of the store's verbs; a put's has the sender's, a list's its reader's",
    ("store", "verb"),
    bounds=_TRANSFERS,
)
store_errors: Final = Counters(
    "holdall_store_errors",
    "Store operations that failed, but for bodies that did not come whole",
    ("store", "verb", "error"),
)
damaged_objects: Final = Counter(
    "holdall_damaged_objects", "Reads of objects whose bytes are missing", registry=registry
)
reconcile_findings: Final = Gauge(
    "holdall_reconcile_findings",
    "What the last comparison of store and database found wrong",
    ["kind"],
    registry=registry,
)
stored_objects: Final = Gauge(
    "holdall_stored_objects", "Objects kept, at most 5 minutes ago", ["kind"], registry=registry
)
stored_bytes: Final = Gauge(
    "holdall_stored_bytes", "Bytes of these objects", ["kind"], registry=registry
)
move_objects: Final = Gauge(
    "holdall_move_left_objects",
    "Objects that are still to be copied from",
    ["previous"],
    registry=registry,
)
move_bytes: Final = Gauge(
    "holdall_move_left_bytes", "Bytes of these objects", ["previous"], registry=registry
)
move_failures: Final = Gauge(
    "holdall_move_failed_objects",
    "Of these objects, what could not be copied the last time",
    ["previous"],
    registry=registry,
)
accounts: Final = Gauge("holdall_accounts", "Accounts, at most 5 minutes ago", registry=registry)
disk_free: Final = Gauge(
    "holdall_disk_free_bytes", "Free bytes of the disk with", ["holds"], registry=registry
)
disk_size: Final = Gauge(
    "holdall_disk_size_bytes", "Size of the disk with", ["holds"], registry=registry
)

child_calls: Final = Gauges(
    "holdall_child_active_calls", "Calls that child processes are busy with", ("pool",)
)
child_waiting: Final = Gauges(
    "holdall_child_waiting_calls", "Calls that wait for a child process", ("pool",)
)
child_seconds: Final = Histograms(
    "holdall_child_call_duration_seconds",
    "Time of calls of child processes, the wait for one not included",
    ("pool",),
    bounds=(0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 10, 30),
)
child_failures: Final = Counters(
    "holdall_child_failures", "Child processes that died over a call or were killed", ("pool",)
)

event_streams: Final = Gauges(
    "holdall_event_streams", "Streams of events that clients have open"
).labels()
rate_limit_refusals: Final = Counters(
    "holdall_rate_limit_refusals", "Attempts that a rate limit refused", ("rule",)
)

webhook_attempts: Final = Counters(
    "holdall_webhook_attempts", "Attempts to deliver something to a webhook", ("outcome",)
)

task_runs: Final = Counter(
    "holdall_task_batches", "Batches of background tasks", ["task", "outcome"], registry=registry
)
task_lag: Final = Gauge(
    "holdall_task_lag_seconds",
    "How late a task's most overdue work is, whichever process is to do it",
    ["task"],
    registry=registry,
)
dropped_log_lines: Final = Counter(
    "holdall_dropped_log_lines", "Log lines that nobody was there to read", registry=registry
)
