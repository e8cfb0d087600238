"""Reads minidumps: what crashed, where, and what was loaded.

Runs in a child process, on files from anybody: each table is read up to a bound, and what points
outside the file isn't followed. The tables are those of Microsoft's ``minidumpapiset.h``; Breakpad
and Crashpad write the same, with numbers of their own for other systems. Of the minidump package
come the names of Windows' exceptions alone: it knows neither the other systems' nor any bound.
"""

import codecs
import os
import struct
from typing import Any, BinaryIO, Final

_MAX_STREAMS: Final = 1024
_MAX_MODULES: Final = 4096  # that are looked at
_MAX_LISTED: Final = 1000  # modules in a report
_MAX_NAME: Final = 512  # characters
_THREADS, _MODULES, _EXCEPTION, _SYSTEM = 3, 4, 6, 7  # types of streams
_HEADER: Final = struct.Struct("<4sIIIIIQ")
_DIRECTORY: Final = struct.Struct("<III")
_SYSTEM_INFO: Final = struct.Struct("<HHHBBIIIII")
_EXCEPTION_RECORD: Final = struct.Struct("<IIIIQQII120sII")
_MODULE: Final = struct.Struct("<QIIII13I")
_THREAD_SIZE: Final = 48
_MODULE_SIZE: Final = 108
_VERSION_SIGNATURE: Final = 0xFEEF04BD

_PLATFORMS: Final = {
    2: "windows", 0x8101: "macos", 0x8102: "ios", 0x8201: "linux", 0x8202: "solaris",
    0x8203: "android", 0x8204: "ps3", 0x8205: "nacl", 0x8206: "fuchsia",
}  # fmt: skip
_ARCHITECTURES: Final = {
    0: "x86", 1: "mips", 5: "arm", 6: "ia64", 9: "x86_64", 12: "arm64", 0x8001: "sparc",
    0x8002: "ppc64", 0x8003: "arm64", 0x8004: "mips64", 0x8005: "riscv", 0x8006: "riscv64",
}  # fmt: skip
_INSTRUCTION_POINTERS: Final = {
    "x86": (0xB8, "<I"), "x86_64": (0xF8, "<Q"), "arm": (0x40, "<I"), "arm64": (0x108, "<Q"),
}  # fmt: skip
"""By architecture: where it is in a thread's context, and its form."""

_SIGNALS: Final = {
    1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 4: "SIGILL", 5: "SIGTRAP", 6: "SIGABRT", 7: "SIGBUS",
    8: "SIGFPE", 9: "SIGKILL", 10: "SIGUSR1", 11: "SIGSEGV", 12: "SIGUSR2", 13: "SIGPIPE",
    14: "SIGALRM", 15: "SIGTERM", 16: "SIGSTKFLT", 24: "SIGXCPU", 25: "SIGXFSZ", 31: "SIGSYS",
    0xFFFFFFFF: "SIMULATED",
}  # fmt: skip
_MACH: Final = {
    1: "EXC_BAD_ACCESS", 2: "EXC_BAD_INSTRUCTION", 3: "EXC_ARITHMETIC", 4: "EXC_EMULATION",
    5: "EXC_SOFTWARE", 6: "EXC_BREAKPOINT", 7: "EXC_SYSCALL", 8: "EXC_MACH_SYSCALL",
    9: "EXC_RPC_ALERT", 10: "EXC_CRASH", 11: "EXC_RESOURCE", 12: "EXC_GUARD",
    13: "EXC_CORPSE_NOTIFY", 0x43507378: "SIMULATED",
}  # fmt: skip
_WINDOWS: Final = {
    0xC0000374: "STATUS_HEAP_CORRUPTION", 0xC0000409: "STATUS_STACK_BUFFER_OVERRUN",
    0xC0000420: "STATUS_ASSERTION_FAILURE", 0xC000041D: "STATUS_FATAL_USER_CALLBACK_EXCEPTION",
    0xC0000602: "STATUS_FAIL_FAST_EXCEPTION", 0xE06D7363: "CPP_EXCEPTION",
    0xE0434352: "CLR_EXCEPTION", 0x0517A7ED: "SIMULATED",
}  # fmt: skip


class Unreadable(Exception):
    """A file is not a minidump, or a broken one; the message says how."""


def read(file: BinaryIO) -> dict[str, Any]:
    """Return what a minidump says, as the API answers it; raises `Unreadable`."""
    dump = _Minidump(file)
    platform, architecture, os_version = dump.system()
    modules = dump.modules()
    thread, exception, pointer = dump.exception(platform, architecture)
    crashing = None if pointer is None else _module_at(modules, pointer)
    return {
        "platform": platform,
        "architecture": architecture,
        "os_version": os_version,
        "exception": exception,
        "crashing_module": crashing,
        "threads": {"count": dump.thread_count(), "crashing": thread},
        "modules": [module | {"base": f"{module['base']:#x}"} for module in modules[:_MAX_LISTED]],
    }


def signature(report: dict[str, Any]) -> str | None:
    """Return what equal crashes have in common: exception, module and offset."""
    if report["exception"] is None:
        return None
    name, module = report["exception"]["name"], report["crashing_module"]
    return name if module is None else f"{name} {module['name']}+{module['offset']}"


class _Minidump:
    """The tables of one file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = file.seek(0, os.SEEK_END)
        magic, _, count, directory, *_ = _HEADER.unpack(self._at(0, _HEADER.size, "header"))
        if magic != b"MDMP":
            raise Unreadable("it does not begin as a minidump does")
        if count > _MAX_STREAMS:
            raise Unreadable(f"it has {count} streams")
        table = self._at(directory, count * _DIRECTORY.size, "directory")
        self._streams = {
            kind: (place, size) for kind, size, place in reversed([*_DIRECTORY.iter_unpack(table)])
        }

    def system(self) -> tuple[str, str, str | None]:
        """Return platform, architecture, and the version of the operating system."""
        data = self._stream(_SYSTEM, _SYSTEM_INFO.size, "system information")
        if data is None:
            raise Unreadable("it does not say of what system it is")
        architecture, _, _, _, _, *version, platform, text = _SYSTEM_INFO.unpack(data)
        numbers = ".".join(map(str, version))
        return (
            _PLATFORMS.get(platform, f"unknown {platform:#x}"),
            _ARCHITECTURES.get(architecture, f"unknown {architecture:#x}"),
            " ".join(filter(None, (numbers if any(version) else "", self._text(text)))) or None,
        )

    def exception(
        self, platform: str, architecture: str
    ) -> tuple[int | None, dict[str, Any] | None, int | None]:
        """Return the crashing thread's id, the exception, and where the thread was."""
        data = self._stream(_EXCEPTION, _EXCEPTION_RECORD.size, "exception")
        if data is None:
            return None, None, None
        thread, _, code, _, _, address, _, _, _, size, place = _EXCEPTION_RECORD.unpack(data)
        exception = {
            "code": code,
            "name": _exception_name(platform, code),
            "address": f"{address:#x}",
        }
        pointer = self._pointer(architecture, place, size)
        if pointer is None and platform == "windows":  # elsewhere it may be what was accessed
            pointer = address
        return thread, exception, pointer

    def _pointer(self, architecture: str, place: int, size: int) -> int | None:
        offset, form = _INSTRUCTION_POINTERS.get(architecture, (0, ""))
        width = struct.calcsize(form)
        if not width or size < offset + width or place + offset + width > self._size:
            return None
        (pointer,) = struct.unpack(form, self._at(place + offset, width, "context"))
        return int(pointer)

    def thread_count(self) -> int:
        """Return how many threads there were."""
        return len(self._entries(_THREADS, _THREAD_SIZE, 2**16, "threads"))

    def modules(self) -> list[dict[str, Any]]:
        """Return the modules that were loaded: name, version, base, size."""
        modules = []
        for entry in self._entries(_MODULES, _MODULE_SIZE, _MAX_MODULES, "modules"):
            base, size, _, _, name, *version = _MODULE.unpack(entry[: _MODULE.size])
            path = self._text(name) or ""
            modules.append(
                {
                    "name": path.replace("\\", "/").rpartition("/")[2] or "unnamed",
                    "version": _version(version),
                    "base": base,
                    "size": size,
                }
            )
        return modules

    def _entries(self, kind: int, size: int, most: int, name: str) -> list[bytes]:
        """Return the entries of a stream that begins with their number."""
        if kind not in self._streams:
            return []
        place, length = self._streams[kind]
        (count,) = struct.unpack("<I", self._at(place, 4, name))
        if count > most:
            raise Unreadable(f"it has {count} {name}")
        # some writers align the first entry to 8 bytes
        start = place + (8 if length == 8 + count * size else 4)
        data = self._at(start, count * size, name)
        return [data[n : n + size] for n in range(0, len(data), size)]

    def _stream(self, kind: int, size: int, name: str) -> bytes | None:
        """Return the first bytes of a stream; None if there is none."""
        if kind not in self._streams:
            return None
        place, length = self._streams[kind]
        if length < size:
            raise Unreadable(f"its {name} is too short")
        return self._at(place, size, name)

    def _text(self, place: int) -> str | None:
        """Return a text of UTF-16, without what no text holds."""
        if not 0 < place <= self._size - 4:
            return None
        (length,) = struct.unpack("<I", self._at(place, 4, "text"))
        length = min(length, 2 * _MAX_NAME, self._size - place - 4) & ~1
        # not by its name: a child can't load the codec
        text, _ = codecs.utf_16_le_decode(self._at(place + 4, length, "text"), "replace")
        return "".join(c if c.isprintable() else " " for c in text).strip()

    def _at(self, place: int, size: int, name: str) -> bytes:
        if place + size > self._size:
            raise Unreadable(f"its {name} is cut off, or outside the file")
        self._file.seek(place)
        return self._file.read(size)


def _module_at(modules: list[dict[str, Any]], address: int) -> dict[str, Any] | None:
    for module in modules:
        if module["base"] <= address < module["base"] + module["size"]:
            return {"name": module["name"], "offset": f"{address - module['base']:#x}"}
    return None


def _version(info: list[int]) -> str | None:
    magic, _, high, low, *_ = info
    if magic != _VERSION_SIGNATURE or not (high or low):
        return None
    return f"{high >> 16}.{high & 0xFFFF}.{low >> 16}.{low & 0xFFFF}"


def _exception_name(platform: str, code: int) -> str:
    if platform in {"macos", "ios"}:
        name = _MACH.get(code)
    elif platform == "windows":
        name = _WINDOWS.get(code) or _windows_name(code)
    else:
        name = _SIGNALS.get(code)
    return name or f"{code:#010x}"


def _windows_name(code: int) -> str | None:
    from minidump.streams.ExceptionStream import ExceptionCode

    try:
        name = str(ExceptionCode(code).name)
    except ValueError:
        return None
    return None if name.startswith("EXCEPTION_UNKNOWN") else name
