"""Reports of minidumps: the exception, the stacks of all threads, the modules.

This runs in a child process, on untrusted files. A report has what can be read, and lists what
can't.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from app.dumps.minidump import modules as module_tables
from app.dumps.minidump import tables
from app.dumps.minidump.crash_names import Raised, cause
from app.dumps.minidump.file import MinidumpFile, Unreadable
from app.dumps.minidump.stacks import Stacks
from app.dumps.minidump.tables import System
from app.dumps.signatures.making import signature
from app.stacks.modules import Module, Modules

if TYPE_CHECKING:
    from app.stacks.symbols import ProcessSymbols

__all__ = ["Reading", "Unreadable", "read"]

_MAX_LISTED: Final = 1000  # modules in a report


@dataclass(frozen=True, slots=True)
class Reading:
    """A report, as the API has it, and the modules with an id that its stacks pass through."""

    report: dict[str, Any]
    signature: str | None
    modules: list[Module]


def read(file: BinaryIO, caches: Sequence[tuple[str, BinaryIO]] = ()) -> Reading:
    """Read a minidump, with caches of symbols by their debug ids; raises `Unreadable`."""
    from app.stacks.symbols import CAN_READ, ProcessSymbols  # libraries for child processes alone

    symbols = ProcessSymbols(caches)
    dump = MinidumpFile(file)
    system = dump.attempt(partial(tables.system, dump), System())
    modules = dump.attempt(partial(module_tables.modules, dump, system), [])
    record = dump.attempt(partial(tables.exception, dump, system), None)
    stacks = Stacks(dump, system, Modules(modules), record, symbols)
    if not (system.platform or modules or stacks.count or record):
        raise Unreadable("; ".join(dump.damaged))
    threads = stacks.threads()
    left_out = list(stacks.left_out)
    if not CAN_READ:
        left_out.append("symbols: this host can read none")
    left_out += [f"symbols: the cache of {debug_id} is damaged" for debug_id in symbols.damaged]
    unloaded = dump.attempt(partial(module_tables.unloaded, dump, system), [])
    report = {
        "platform": system.platform,
        "architecture": system.architecture,
        "os_version": system.os_version,
        "crashed_at": _time(dump.written_at),
        "uptime": dump.attempt(partial(tables.uptime, dump), None),
        "assertion": dump.attempt(partial(tables.assertion, dump), None),
        "exception": None if record is None else _described(system, record.raised),
        "crashing_module": stacks.crashing_module(),
        "registers": stacks.registers(),
        "code": stacks.code(),
        "thread_count": stacks.count,
        "threads": threads,
        "modules": [_module(module, symbols) for module in modules[:_MAX_LISTED]],
        "unloaded_modules": [
            {"name": m.name, "base": f"{m.base:#x}", "size": m.size} for m in unloaded[:_MAX_LISTED]
        ],
        "damaged": dump.damaged,
        "left_out": left_out,
    }
    return Reading(report, signature(report), [*stacks.debug_ids.values()])


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


def _module(module: Module, symbols: "ProcessSymbols") -> dict[str, Any]:
    return {
        "name": module.name,
        "version": module.version,
        "base": f"{module.base:#x}",
        "size": module.size,
        "debug_file": module.debug_file,
        "debug_id": module.debug_id,
        "code_id": module.code_id,
        "has_symbols": symbols.has(module),
    }
