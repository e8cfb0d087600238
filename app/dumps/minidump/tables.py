"""The tables of a minidump that say what happened: the system, the exception, the times.

Addresses are cut to the width of the architecture. A table that can't be read raises `Unreadable`;
one that can be read in part is noted in `MinidumpFile.damaged`.
"""

import struct
from dataclasses import dataclass
from typing import Final

from app.dumps.minidump.crash_names import Raised
from app.dumps.minidump.file import MinidumpFile, Unreadable, decoded

Place = tuple[int, int]
"""An offset in the file, and a number of bytes."""

# types of streams
_EXCEPTION, _SYSTEM, _MISC, _BREAKPAD, _ASSERTION = 6, 7, 15, 0x47670001, 0x47670002
_SYSTEM_INFO: Final = struct.Struct("<HHHBBIIIII")
_EXCEPTION_RECORD: Final = struct.Struct("<IIIIQQII15QII")
_MISC_INFO: Final = struct.Struct("<IIII")
_HAS_TIMES: Final = 2
_BREAKPAD_INFO: Final = struct.Struct("<III")
_HAS_WRITER: Final = 1
_ASSERTION_INFO: Final = struct.Struct("<256s256s256sII")

_PLATFORMS: Final = {
    2: "windows", 0x8101: "macos", 0x8102: "ios", 0x8201: "linux", 0x8202: "solaris",
    0x8203: "android", 0x8204: "ps3", 0x8205: "nacl", 0x8206: "fuchsia",
}  # fmt: skip
_ARCHITECTURES: Final = {
    0: "x86", 1: "mips", 3: "ppc", 5: "arm", 6: "ia64", 9: "x86_64", 12: "arm64", 0x8001: "sparc",
    0x8002: "ppc64", 0x8003: "arm64", 0x8004: "mips64", 0x8005: "riscv", 0x8006: "riscv64",
}  # fmt: skip
_NARROW: Final = frozenset({"x86", "mips", "ppc", "arm", "sparc", "riscv"})
"""Architectures with 32-bit addresses, which some writers sign-extend."""
_ASSERTIONS: Final = {1: "invalid parameter", 2: "call of a pure virtual function"}


@dataclass(frozen=True, slots=True)
class System:
    """The system that the program ran on; None: not known."""

    platform: str | None = None
    architecture: str | None = None
    os_version: str | None = None

    def address(self, value: int) -> int:
        """Return an address cut to the width of the architecture."""
        return value & 0xFFFFFFFF if self.architecture in _NARROW else value


@dataclass(frozen=True, slots=True)
class Crash:
    """An exception, the id of its thread, and where that thread's registers are in the file."""

    thread: int
    raised: Raised
    context: Place


def system(dump: MinidumpFile) -> System:
    """Return the system that the program ran on."""
    data = dump.stream(_SYSTEM, _SYSTEM_INFO.size, "system information")
    if data is None:
        raise Unreadable("system information: absent")
    architecture, _, _, _, _, *version, platform, place = _SYSTEM_INFO.unpack(data)
    numbers = ".".join(map(str, version)) if any(version) else ""
    return System(
        _PLATFORMS.get(platform, f"unknown {platform:#x}"),
        _ARCHITECTURES.get(architecture, f"unknown {architecture:#x}"),
        " ".join(filter(None, (numbers, dump.text(place)))) or None,
    )


def exception(dump: MinidumpFile, system: System) -> Crash | None:
    """Return the exception, or None."""
    data = dump.stream(_EXCEPTION, _EXCEPTION_RECORD.size, "exception")
    if data is None:
        return None
    thread, _, code, flags, _, address, count, _, *parameters, size, place = (
        _EXCEPTION_RECORD.unpack(data)
    )
    values = [system.address(value) for value in parameters[:count]]
    return Crash(thread, Raised(code, flags, system.address(address), values), (place, size))


def uptime(dump: MinidumpFile) -> int | None:
    """Return how many seconds the process had run, or None."""
    data = dump.stream(_MISC, _MISC_INFO.size, "process times")
    if data is None:
        return None
    _, flags, _, started_at = _MISC_INFO.unpack(data)
    is_known = flags & _HAS_TIMES and 0 < started_at <= dump.written_at
    return dump.written_at - started_at if is_known else None


def writer(dump: MinidumpFile) -> int | None:
    """Return the id of the thread that wrote the minidump, and has nothing to do with the crash."""
    data = dump.stream(_BREAKPAD, _BREAKPAD_INFO.size, "writer")
    if data is None:
        return None
    valid, thread, _ = _BREAKPAD_INFO.unpack(data)
    return thread if valid & _HAS_WRITER else None


def assertion(dump: MinidumpFile) -> str | None:
    """Return the assertion that failed, and where; or None."""
    data = dump.stream(_ASSERTION, _ASSERTION_INFO.size, "assertion")
    if data is None:
        return None
    *texts, line, kind = _ASSERTION_INFO.unpack(data)
    expression, function, file = (decoded(_until_nul(text)) for text in texts)
    said = expression or _ASSERTIONS.get(kind, "")
    where = f"{file}:{line}" if file else ""
    return ", ".join(filter(None, (said, function, where))) or None


def _until_nul(data: bytes) -> bytes:
    end = next((n for n in range(0, len(data), 2) if data[n : n + 2] == b"\0\0"), len(data))
    return data[:end]
