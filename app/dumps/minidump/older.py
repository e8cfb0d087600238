"""Reports that earlier releases wrote, in the form that they have today."""

from collections.abc import Mapping
from typing import Any, Final

_SINCE_STACKS: Final[Mapping[str, Any]] = {
    "crashed_at": None, "uptime": None, "assertion": None, "registers": {}, "code": None,
    "unloaded_modules": [], "damaged": [], "left_out": [],
}  # fmt: skip
_OF_MODULES: Final = {"debug_file": None, "debug_id": None, "code_id": None, "has_symbols": False}


def current(report: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a report with all fields; of threads without stacks, the one that crashed."""
    threads = report["threads"]
    if isinstance(threads, list):
        return report
    crashed = threads["crashing"]
    only = {"id": crashed, "name": None, "is_crashed": True, "frames": []}
    return {
        **_SINCE_STACKS,
        **report,
        "thread_count": threads["count"],
        "threads": [] if crashed is None else [only],
        "modules": [_OF_MODULES | module for module in report["modules"]],
    }
