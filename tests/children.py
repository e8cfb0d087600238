"""What the tests of child processes have done in them; small, so that a child starts quickly."""

import ctypes
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

from app.errors import InvalidRequest


class Unpicklable(Exception):
    """Pickles, but can't be made again from its arguments."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second}")


class Sneaky:
    """A plain object: what a child answers has no business to make one."""


class Call:
    """Pickles as a call of a function, which whoever reads it would run."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("exit 0",)


def pid() -> int:
    return os.getpid()


def double(data: bytes) -> bytes:
    return data * 2


def answer_sneaky() -> object:
    return Sneaky()


def answer_a_call() -> object:
    return Call()


def refuse(detail: str) -> None:
    raise InvalidRequest(detail)


def fail(message: str) -> None:
    raise ValueError(message)


def fail_unpicklable() -> None:
    raise Unpicklable("one", "two")


def fail_with_timeout() -> None:
    raise TimeoutError("the function's own")


def eat(size: int) -> int:
    return len(b"x" * size)


def eat_in_c(size: int) -> None:
    """Take and touch memory as a library does that gives up when there is none."""
    library = ctypes.CDLL(None)
    library.malloc.restype = ctypes.c_void_p
    library.malloc.argtypes = [ctypes.c_size_t]
    if (memory := library.malloc(size)) is None:
        library.abort()
    ctypes.memset(memory, 1, size)


def spin(marker: str) -> None:
    """Never end, and say by a file that this has begun, and where."""
    _touch(Path(marker))
    while True:
        pass


def hold(folder: str, name: str) -> int:
    """Say by a file that the call has begun, and end when the file ``go`` is there."""
    _touch(Path(folder) / name)
    while not (Path(folder) / "go").exists():
        time.sleep(0.005)
    return os.getpid()


def _touch(path: Path) -> None:
    """Make a link that points to this process's id: a child can write no file."""
    path.symlink_to(str(os.getpid()))


def leave(status: int) -> None:
    os._exit(status)


def crash() -> None:
    ctypes.string_at(0)


def surroundings() -> dict[str, Any]:
    """Say what a call finds around it."""
    return {
        "environment": dict(os.environ),
        "files": sorted(_targets()),
        "core": resource.getrlimit(resource.RLIMIT_CORE),
        "data": resource.getrlimit(resource.RLIMIT_DATA),
        "written": resource.getrlimit(resource.RLIMIT_FSIZE),
        "processes": resource.getrlimit(resource.RLIMIT_NPROC),
        "interrupt": signal.getsignal(signal.SIGINT) == signal.SIG_IGN,
        "session": os.getsid(0),
        "modules": sorted(sys.modules),
    }


def _targets() -> list[str]:
    found = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            found.append(str(link.readlink()))
        except FileNotFoundError:
            continue  # the listing itself
    return found


def peak_memory() -> int:
    """Return the most memory that this process has had, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise LookupError
