"""Reports of minidumps: the exception, the module that crashed, the loaded modules.

This runs in a child process, on untrusted files. A report has what can be read, and lists what
can't.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO, Final

from app.dumps.minidump import tables
from app.dumps.minidump.crash_names import Raised, cause
from app.dumps.minidump.file import MinidumpFile, Unreadable
from app.dumps.minidump.tables import Crash, Module, Place, System, Thread

__all__ = ["Unreadable", "read", "signature"]

_MAX_LISTED: Final = 1000  # modules in a report
_APPLE_CODE: Final = (1 << 47) - 1
"""Address bits of code on Apple's arm64; the bits above may be a signature (PAC)."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """Offsets of registers in a thread's context; ``form`` is the `struct` format of one."""

    form: str
    counter: int
    stack: int
    link: int | None


_LAYOUTS: Final = {
    "x86": _Layout("<I", 0xB8, 0xC4, None), "x86_64": _Layout("<Q", 0xF8, 0x98, None),
    "arm": _Layout("<I", 0x40, 0x38, 0x3C), "arm64": _Layout("<Q", 0x108, 0x100, 0xF8),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Registers:
    """Registers of a thread: program counter, stack pointer, and link register if it has one."""

    counter: int
    stack: int
    link: int | None


def read(file: BinaryIO) -> dict[str, Any]:
    """Return the report of a minidump, as the API has it; raises `Unreadable`."""
    dump = MinidumpFile(file)
    system = dump.attempt(partial(tables.system, dump), System())
    modules = dump.attempt(partial(tables.modules, dump, system), [])
    threads = dump.attempt(partial(tables.threads, dump, system), [])
    record = dump.attempt(partial(tables.exception, dump, system), None)
    if not (system.platform or modules or threads or record):
        raise Unreadable("; ".join(dump.damaged))
    crashing = None if record is None else _crashing_module(dump, system, modules, threads, record)
    return {
        "platform": system.platform,
        "architecture": system.architecture,
        "os_version": system.os_version,
        "exception": None if record is None else _described(system, record.raised),
        "crashing_module": crashing,
        "threads": {"count": len(threads), "crashing": None if record is None else record.thread},
        "modules": [
            {"name": m.name, "version": m.version, "base": f"{m.base:#x}", "size": m.size}
            for m in modules[:_MAX_LISTED]
        ],
        "damaged": dump.damaged,
    }


def signature(report: dict[str, Any]) -> str | None:
    """Return the signature of a report, equal for equal crashes: exception, module and offset."""
    if report["exception"] is None:
        return None
    name, module = report["exception"]["name"], report["crashing_module"]
    return name if module is None else f"{name} {module['name']}+{module['offset']}"


def _described(system: System, raised: Raised) -> dict[str, Any]:
    found = cause(system.platform, raised)
    return {
        "code": raised.code,
        "name": found.name,
        "reason": found.reason,
        "address": f"{found.address:#x}",
    }


def _crashing_module(
    dump: MinidumpFile,
    system: System,
    modules: Sequence[Module],
    threads: Sequence[Thread],
    record: Crash,
) -> dict[str, Any] | None:
    """Return the module that the thread was in, or else its caller's."""
    thread = next((t for t in threads if t.id == record.thread), None)
    registers = dump.attempt(partial(_registers, dump, system, record.context), None)
    if registers is None and thread is not None:
        registers = dump.attempt(partial(_registers, dump, system, thread.context), None)
    if registers is None:
        # on other systems it may be the address that was accessed
        at = record.raised.address if system.platform == "windows" else None
        return None if at is None else _module_at(modules, at, is_caller=False)
    return _module_at(modules, registers.counter, is_caller=False) or _module_at(
        modules, _caller(dump, system, registers, thread), is_caller=True
    )


def _registers(dump: MinidumpFile, system: System, context: Place) -> _Registers | None:
    layout, (place, size) = _LAYOUTS.get(system.architecture or ""), context
    if layout is None or size == 0:
        return None

    def register(offset: int) -> int:
        width = struct.calcsize(layout.form)
        if offset + width > size:
            raise Unreadable("context: too short")
        (value,) = struct.unpack(layout.form, dump.at(place + offset, width, "context"))
        return int(value)

    link = None if layout.link is None else register(layout.link)
    return _Registers(register(layout.counter), register(layout.stack), link)


def _caller(
    dump: MinidumpFile, system: System, registers: _Registers, thread: Thread | None
) -> int | None:
    """Return the address of the caller, from the link register or the top of the stack."""
    if registers.link is not None:
        if system.architecture == "arm":
            return registers.link & ~1  # the lowest bit marks Thumb code
        return registers.link & (_APPLE_CODE if system.platform in {"macos", "ios"} else -1)
    form = _LAYOUTS[system.architecture or ""].form
    size = struct.calcsize(form)
    top = dump.attempt(partial(_stack, dump, system, thread, registers.stack, size), None)
    return None if top is None else int(struct.unpack(form, top)[0])


def _stack(
    dump: MinidumpFile, system: System, thread: Thread | None, address: int, size: int
) -> bytes | None:
    if thread is not None and thread.stack[0]:
        offset, (place, length) = address - thread.stack_start, thread.stack
        if 0 <= offset <= length - size:
            return dump.at(place + offset, size, "stack")
    return tables.memory(dump, system, address, size)


def _module_at(
    modules: Sequence[Module], address: int | None, *, is_caller: bool
) -> dict[str, Any] | None:
    if address is None:
        return None
    for module in modules:
        if module.base <= address < module.base + module.size:
            offset = f"{address - module.base:#x}"
            return {"name": module.name, "offset": offset, "is_caller": is_caller}
    return None
