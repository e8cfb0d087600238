"""The tables of a minidump that reports are made of: system, modules, threads, memory, exception.

Addresses are cut to the width of the architecture. A table that can't be read raises `Unreadable`;
one that can be read in part is noted in `MinidumpFile.damaged`.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from app.dumps.minidump.crash_names import Raised
from app.dumps.minidump.file import MinidumpFile, Unreadable

Place = tuple[int, int]
"""An offset in the file, and a number of bytes."""

_MAX_MODULES: Final = 4096
_MAX_NAME: Final = 512  # characters
_MAX_THREADS: Final = 2**16
_MAX_RANGES: Final = 2**16
# types of streams
_THREADS, _MODULES, _MEMORY, _EXCEPTION, _SYSTEM, _MEMORY_64 = 3, 4, 5, 6, 7, 9
_SYSTEM_INFO: Final = struct.Struct("<HHHBBIIIII")
_EXCEPTION_RECORD: Final = struct.Struct("<IIIIQQII15QII")
_THREAD: Final = struct.Struct("<IIIIQQIIII")
_RANGE: Final = struct.Struct("<QII")
_RANGES_64: Final = struct.Struct("<QQ")
_RANGE_64: Final = struct.Struct("<QQ")
_MODULE: Final = struct.Struct("<QIIII13I")
_MODULE_SIZE: Final = 108
_VERSION_SIGNATURE: Final = 0xFEEF04BD

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
class Thread:
    """A thread: where its registers and its stack are in the file, and its stack's address."""

    id: int
    context: Place
    stack: Place
    stack_start: int


@dataclass(frozen=True, slots=True)
class Module:
    """A loaded module; its size is in bytes."""

    name: str
    version: str | None
    base: int
    size: int


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


def modules(dump: MinidumpFile, system: System) -> list[Module]:
    """Return the loaded modules."""
    found, unnamed = [], 0
    for entry in dump.entries(_MODULES, _MODULE_SIZE, _MAX_MODULES, "modules"):
        base, size, _, _, place, *version = _MODULE.unpack(entry[: _MODULE.size])
        path = dump.text(place)
        unnamed += path is None
        name = (path or "").replace("\\", "/").rpartition("/")[2][:_MAX_NAME] or "unnamed"
        found.append(Module(name, _version(version), system.address(base), size))
    if unnamed:
        dump.damaged.append(f"names of modules: {unnamed} are outside the file")
    return found


def _version(info: list[int]) -> str | None:
    magic, _, high, low, *_ = info
    if magic != _VERSION_SIGNATURE or not (high or low):
        return None
    return f"{high >> 16}.{high & 0xFFFF}.{low >> 16}.{low & 0xFFFF}"


def threads(dump: MinidumpFile, system: System) -> list[Thread]:
    """Return the threads of the process."""
    found = []
    for entry in dump.entries(_THREADS, _THREAD.size, _MAX_THREADS, "threads"):
        number, _, _, _, _, start, size, place, context_size, context = _THREAD.unpack(entry)
        stack = system.address(start)
        found.append(Thread(number, (context, context_size), (place, size), stack))
    return found


def memory(dump: MinidumpFile, system: System, address: int, size: int) -> bytes | None:
    """Return bytes of the process's memory; None: they are not in the file."""
    for start, length, place in _ranges(dump):
        offset = address - system.address(start)
        if 0 <= offset <= length - size:
            return dump.at(place + offset, size, "memory")
    return None


def _ranges(dump: MinidumpFile) -> Iterator[tuple[int, int, int]]:
    """Yield the address, the size and the offset in the file of each range of memory."""
    for entry in dump.entries(_MEMORY, _RANGE.size, _MAX_RANGES, "memory"):
        yield _RANGE.unpack(entry)
    head = dump.stream(_MEMORY_64, _RANGES_64.size, "memory")
    if head is None:
        return
    count, place = _RANGES_64.unpack(head)
    size = _RANGES_64.size + min(count, _MAX_RANGES) * _RANGE_64.size
    table = dump.stream(_MEMORY_64, size, "memory") or b""
    for start, length in _RANGE_64.iter_unpack(table[_RANGES_64.size :]):
        yield start, length, place
        place += length


@dataclass(frozen=True, slots=True)
class Crash:
    """An exception, the id of its thread, and where that thread's registers are in the file."""

    thread: int
    raised: Raised
    context: Place


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
