"""Reports of minidumps: the exception, the stacks of all threads, the modules.

This runs in a child process, on untrusted files. A report has what can be read, and lists what
can't.
"""

from datetime import UTC, datetime
from functools import partial
from typing import Any, BinaryIO, Final

from app.dumps.minidump import modules as module_tables
from app.dumps.minidump import tables
from app.dumps.minidump.crash_names import Raised, cause
from app.dumps.minidump.file import MinidumpFile, Unreadable
from app.dumps.minidump.stacks import Stacks
from app.dumps.minidump.tables import System
from app.stacks.modules import Module, Modules

__all__ = ["Unreadable", "read", "signature"]

_MAX_LISTED: Final = 1000  # modules in a report


def read(file: BinaryIO) -> dict[str, Any]:
    """Return the report of a minidump, as the API has it; raises `Unreadable`."""
    dump = MinidumpFile(file)
    system = dump.attempt(partial(tables.system, dump), System())
    modules = dump.attempt(partial(module_tables.modules, dump, system), [])
    record = dump.attempt(partial(tables.exception, dump, system), None)
    stacks = Stacks(dump, system, Modules(modules), record)
    if not (system.platform or modules or stacks.count or record):
        raise Unreadable("; ".join(dump.damaged))
    unloaded = dump.attempt(partial(module_tables.unloaded, dump, system), [])
    return {
        "platform": system.platform,
        "architecture": system.architecture,
        "os_version": system.os_version,
        "crashed_at": _time(dump.written_at),
        "uptime": dump.attempt(partial(tables.uptime, dump), None),
        "assertion": dump.attempt(partial(tables.assertion, dump), None),
        "exception": None if record is None else _described(system, record.raised),
        "crashing_module": stacks.crashing_module(system.platform),
        "registers": stacks.registers(),
        "code": stacks.code(),
        "thread_count": stacks.count,
        "threads": stacks.threads(),
        "modules": [_module(module) for module in modules[:_MAX_LISTED]],
        "unloaded_modules": [
            {"name": m.name, "base": f"{m.base:#x}", "size": m.size} for m in unloaded[:_MAX_LISTED]
        ],
        "damaged": dump.damaged,
        "left_out": stacks.left_out,
    }


def signature(report: dict[str, Any]) -> str | None:
    """Return the signature of a report, equal for equal crashes: exception, module and offset."""
    if report["exception"] is None:
        return None
    name, module = report["exception"]["name"], report["crashing_module"]
    return name if module is None else f"{name} {module['name']}+{module['offset']}"


def _time(seconds: int) -> str | None:
    return datetime.fromtimestamp(seconds, UTC).isoformat() if seconds else None


def _described(system: System, raised: Raised) -> dict[str, Any]:
    found = cause(system.platform, raised)
    return {
        "code": raised.code,
        "name": found.name,
        "reason": found.reason,
        "address": f"{found.address:#x}",
    }


def _module(module: Module) -> dict[str, Any]:
    return {
        "name": module.name,
        "version": module.version,
        "base": f"{module.base:#x}",
        "size": module.size,
        "debug_file": module.debug_file,
        "debug_id": module.debug_id,
        "code_id": module.code_id,
    }
