"""Confinement of child processes on Linux, against attacks through the files that they parse.

Landlock takes away files, TCP and signals to other processes (``landlock(7)``); seccomp leaves only
the system calls needed to compute and answer (``seccomp(2)``). Each is used if the kernel has it. A
child that can't be confined although its kernel could does not start.
"""

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Final

LIMITS: Final = "limits"
"""The result of `names` where the kernel has neither, so that only resource limits apply."""

_PR_SET_DUMPABLE: Final = 4
_PR_SET_SECCOMP: Final = 22
_PR_SET_NO_NEW_PRIVS: Final = 38
_MODE_FILTER: Final = 2

# system calls with the same number on every architecture
_CREATE_RULESET: Final = 444
_RESTRICT_SELF: Final = 446
_GET_VERSION: Final = 1
_FILE_RIGHTS: Final = (13, 14, 15, 15, 16)
"""The number of file access rights by Landlock version; later versions have the last one."""
_NETWORK_SINCE: Final = 4
_SCOPES_SINCE: Final = 6

_ARCHITECTURES: Final = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
"""By machine: its number in ``linux/audit.h``, and its column in the tables below."""

_CALLS: Final = {
    "read": (0, 63), "write": (1, 64), "readv": (19, 65), "writev": (20, 66),
    "pread64": (17, 67), "lseek": (8, 62), "close": (3, 57), "fstat": (5, 80),
    "recvfrom": (45, 207), "recvmsg": (47, 212), "sendto": (44, 206),
    "brk": (12, 214), "mmap": (9, 222), "munmap": (11, 215), "mremap": (25, 216),
    "mprotect": (10, 226), "madvise": (28, 233), "futex": (202, 98),
    "rt_sigaction": (13, 134), "rt_sigprocmask": (14, 135), "rt_sigreturn": (15, 139),
    "restart_syscall": (219, 128), "sched_yield": (24, 124), "sched_getaffinity": (204, 123),
    "getpid": (39, 172), "gettid": (186, 178), "getrandom": (318, 278),
    "clock_gettime": (228, 113), "clock_nanosleep": (230, 115), "gettimeofday": (96, 169),
    "exit": (60, 93), "exit_group": (231, 94),
}  # fmt: skip
"""The allowed system calls, with their numbers on x86_64 and aarch64."""

_THREAD_CALLS: Final = {"set_robust_list": (273, 99), "rseq": (334, 293)}
_CLONE: Final = (56, 220)
_CLONE_THREAD: Final = (0x3D0F00, 0x7D0F00)
"""The flags by which glibc and musl start a thread, rather than a process."""
_CLONE3: Final = 435  # a filter can't see its flags; if it is missing, libraries use clone

_FSTATAT: Final = (262, 79)  # some C libraries use it to get the size of an open file
_AT_EMPTY_PATH: Final = 0x1000
_FCNTL: Final = (72, 25)  # ``mmap`` of Python duplicates the descriptor of the file
_DUPLICATE: Final = 1030  # F_DUPFD_CLOEXEC
_TGKILL: Final = (234, 131)  # ``abort`` uses it

# instructions of classic BPF, and results of a filter
_LOAD: Final = 0x20
_JUMP_IF_EQUAL: Final = 0x15
_RETURN: Final = 0x06
_NUMBER, _MACHINE, _ARGUMENTS = 0, 4, 16  # offsets in ``struct seccomp_data``
_ALLOW: Final = 0x7FFF0000
_UNKNOWN: Final = 0x00050000 | errno.ENOSYS
_REFUSE: Final = 0x00050000 | errno.EPERM
_KILL: Final = 0x80000000


class _Program(ctypes.Structure):
    """``struct sock_fprog``."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


@cache
def names() -> str:
    """Return how children are confined on this host, such as ``landlock+seccomp``."""
    mechanisms = {"landlock": landlock_version() > 0, "seccomp": _has_seccomp()}
    return "+".join(name for name, is_there in mechanisms.items() if is_there) or LIMITS


def hide() -> None:
    """Keep other processes of the same user from reading this one's memory and environment.

    This also turns core dumps off.
    """
    if sys.platform == "linux":
        _prctl(_PR_SET_DUMPABLE, 0)


def confine(*, threads: bool = False) -> None:
    """Confine this process irrevocably, by all that its kernel has; raises `OSError`.

    Open files stay open, and can be read and written. All modules must have been imported.
    ``threads`` permits it to start threads, but no process.
    """
    if landlock_version() > 0:
        landlock()
    if _has_seccomp():
        seccomp(threads=threads)


def landlock() -> None:
    """Take away access to files, TCP, and signals to other processes."""
    version = landlock_version()
    files = (1 << _FILE_RIGHTS[min(version, len(_FILE_RIGHTS)) - 1]) - 1
    network = 0b11 if version >= _NETWORK_SINCE else 0
    scopes = 0b11 if version >= _SCOPES_SINCE else 0
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    # older kernels accept a longer structure whose unknown members are 0
    attributes = struct.pack("=QQQ", files, network, scopes)
    ruleset = _system_call(_CREATE_RULESET, attributes, len(attributes), 0)
    try:
        _system_call(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def seccomp(*, threads: bool = False) -> None:
    """Refuse all system calls but those needed to compute and answer, with ``EPERM``."""
    instructions = b"".join(_filter(threads=threads))
    length = len(instructions) // struct.calcsize("=HBBI")
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(_Program(length, instructions)))


def _filter(*, threads: bool) -> Iterator[bytes]:
    machine, column = _ARCHITECTURES[os.uname().machine]
    yield _instruction(_LOAD, _MACHINE)
    yield _instruction(_JUMP_IF_EQUAL, machine, 1)
    yield _instruction(_RETURN, _KILL)
    yield _instruction(_LOAD, _NUMBER)
    for numbers in _CALLS.values():
        yield from _allow(numbers[column])
    yield from _allow(_FSTATAT[column], argument=3, values=(_AT_EMPTY_PATH,))
    yield from _allow(_FCNTL[column], argument=1, values=(_DUPLICATE,))
    yield from _allow(_TGKILL[column], argument=0, values=(os.getpid(),))
    if threads:
        for numbers in _THREAD_CALLS.values():
            yield from _allow(numbers[column])
        yield _instruction(_JUMP_IF_EQUAL, _CLONE3, 0, 1)
        yield _instruction(_RETURN, _UNKNOWN)
        yield from _allow(_CLONE[column], argument=0, values=_CLONE_THREAD)
    yield _instruction(_RETURN, _REFUSE)


def _allow(number: int, argument: int | None = None, values: Sequence[int] = ()) -> Iterator[bytes]:
    """Allow a system call, or only some values of one of its arguments."""
    if argument is None:
        yield _instruction(_JUMP_IF_EQUAL, number, 0, 1)
    else:
        yield _instruction(_JUMP_IF_EQUAL, number, 0, len(values) + 3)
        yield _instruction(_LOAD, _ARGUMENTS + 8 * argument)  # the lower half
        for place, value in enumerate(values):
            yield _instruction(_JUMP_IF_EQUAL, value, len(values) - place)
        yield _instruction(_RETURN, _REFUSE)
    yield _instruction(_RETURN, _ALLOW)


def _instruction(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


@cache
def landlock_version() -> int:
    """Return the version of Landlock; 0: this kernel has none."""
    if sys.platform != "linux":
        return 0
    try:
        return _system_call(_CREATE_RULESET, None, 0, _GET_VERSION)
    except OSError:
        return 0


@cache
def _has_seccomp() -> bool:
    if sys.platform != "linux" or os.uname().machine not in _ARCHITECTURES or sys.maxsize < 2**32:
        return False
    try:
        _prctl(_PR_SET_SECCOMP, _MODE_FILTER, None)
    except OSError as error:
        return error.errno == errno.EFAULT  # the kernel tried to read the filter
    return True


def _prctl(option: int, *arguments: Any) -> None:  # noqa: ANN401 - what C takes
    values = [ctypes.c_ulong(a) if isinstance(a, int) else a for a in arguments]
    values += [ctypes.c_ulong(0)] * (4 - len(values))
    if _library().prctl(option, *values) != 0:
        raise _error()


def _system_call(number: int, *arguments: Any) -> int:  # noqa: ANN401 - what C takes
    values = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result: int = _library().syscall(ctypes.c_long(number), *values)
    if result < 0:
        raise _error()
    return result


def _error() -> OSError:
    number = ctypes.get_errno()
    return OSError(number, os.strerror(number))


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    return library
