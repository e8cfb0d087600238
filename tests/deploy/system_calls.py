"""The system calls that a unit of systemd leaves to its service, taken away as systemd does it.

``python system_calls.py FILTER COMMAND...`` runs a command with those of a `Filter` alone.
"""

import ctypes
import errno
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

LIBRARY: Final = "libseccomp.so.2"

_ALLOW: Final = 0x7FFF0000
_ERROR: Final = 0x00050000
_EQUAL, _MASKED_EQUAL = 4, 7
_WRITE, _EXECUTE = 2, 4
_NEW_NAMESPACES: Final = (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000)


class _Comparison(ctypes.Structure):
    """``struct scmp_arg_cmp``."""

    _fields_ = (
        *(("argument", ctypes.c_uint), ("operator", ctypes.c_int)),
        *(("first", ctypes.c_uint64), ("second", ctypes.c_uint64)),
    )


@dataclass(frozen=True)
class Filter:
    """System calls by their names, and the address families of sockets by theirs."""

    calls: list[str]
    families: list[str]


def of_unit(path: Path) -> Filter:
    """Read the filter of a unit; groups are expanded as the systemd here knows them."""
    calls: set[str] = set()
    families: list[str] = []
    for line in path.read_text().splitlines():
        name, _, value = line.partition("=")
        if name == "SystemCallFilter":
            named = {call for word in value.lstrip("~").split() for call in _expanded(word)}
            calls = calls - named if value.startswith("~") else calls | named
        elif name == "RestrictAddressFamilies":
            families += value.split()
    return Filter(sorted(calls), families)


def command(allowed: Filter, arguments: Sequence[str]) -> list[str]:
    """Return a command line that runs another under the filter."""
    return [sys.executable, __file__, json.dumps(asdict(allowed)), *arguments]


def _expanded(word: str) -> Iterator[str]:
    if not word.startswith("@"):
        yield word
        return
    listed = subprocess.run(
        ["systemd-analyze", "syscall-filter", word], check=True, capture_output=True, text=True
    ).stdout
    for line in listed.splitlines()[1:]:
        if not line.strip().startswith("#"):
            yield from _expanded(line.strip())


def _apply(allowed: Filter) -> None:
    library = ctypes.CDLL(LIBRARY)
    library.seccomp_init.restype = ctypes.c_void_p

    def add(context: int, action: int, name: str, *comparisons: _Comparison) -> None:
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # else this machine has none of that name
            array = (_Comparison * len(comparisons))(*comparisons)
            done = library.seccomp_rule_add_array(
                ctypes.c_void_p(context), action, number, len(comparisons), array
            )
            assert done == 0, (name, os.strerror(-done))

    calls = library.seccomp_init(_ERROR | errno.EPERM)
    for name in set(allowed.calls) - {"socket"}:
        add(calls, _ALLOW, name)
    for family in allowed.families:
        add(calls, _ALLOW, "socket", _Comparison(0, _EQUAL, getattr(socket, family), 0))
    more = library.seccomp_init(_ALLOW)
    # MemoryDenyWriteExecute, RestrictNamespaces
    both = _WRITE | _EXECUTE
    add(more, _ERROR | errno.EPERM, "mmap", _Comparison(2, _MASKED_EQUAL, both, both))
    add(more, _ERROR | errno.EPERM, "mprotect", _Comparison(2, _MASKED_EQUAL, _EXECUTE, _EXECUTE))
    add(more, _ERROR | errno.ENOSYS, "clone3")
    for flag in _NEW_NAMESPACES:
        add(more, _ERROR | errno.EPERM, "clone", _Comparison(0, _MASKED_EQUAL, flag, flag))
    for context in (more, calls):
        assert library.seccomp_load(ctypes.c_void_p(context)) == 0


if __name__ == "__main__":
    _apply(Filter(**json.loads(sys.argv[1])))
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 - the caller's command
