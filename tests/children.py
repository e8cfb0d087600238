"""What the tests of child processes have done in them; small, so that a child starts quickly."""

import ctypes
import errno
import os
import signal
import socket
import stat
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from app.errors import InvalidRequest

PTRACE_SEIZE = 0x4206


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


def spin(line: BinaryIO) -> None:
    """Never end, and say on a line that this has begun, and where."""
    _tell(line)
    while True:
        pass


def hold(line: BinaryIO) -> int:
    """Say on a line that the call has begun, and end when something comes back."""
    _tell(line)
    line.read(1)
    return os.getpid()


def _tell(line: BinaryIO) -> None:
    os.write(line.fileno(), f"{os.getpid()}\n".encode())


def read(*files: BinaryIO) -> list[bytes]:
    return [file.read() for file in files]


def leave(status: int) -> None:
    os._exit(status)


def crash() -> None:
    ctypes.string_at(0)


def surroundings() -> dict[str, Any]:
    """Say what a call finds around it."""
    return {
        "environment": dict(os.environ),
        "open": {number: kind for number in range(100) if (kind := _kind(number))},
        "interrupt": signal.getsignal(signal.SIGINT) == signal.SIG_IGN,
        "modules": sorted(sys.modules),
    }


def _kind(descriptor: int) -> str | None:
    try:
        found = os.fstat(descriptor)
    except OSError:
        return None
    if stat.S_ISSOCK(found.st_mode):
        return "socket"
    return os.devnull if found.st_rdev == os.makedev(1, 3) else "something else"


def attempts(parent: int, file: str, port: int) -> dict[str, str]:
    """Try what a child may not, and say for each how that ended."""
    folder = Path(file).parent
    tried: dict[str, Callable[[], object]] = {
        "read the environment": Path(f"/proc/{parent}/environ").read_bytes,
        "read its own environment": Path("/proc/self/environ").read_bytes,
        "read a file": Path(file).read_bytes,
        "read a module": Path(__file__).read_bytes,
        "list a folder": lambda: list(folder.iterdir()),
        "make a file": (folder / "new").touch,
        "make a folder": (folder / "new").mkdir,
        "make a link": lambda: (folder / "new").symlink_to(file),
        "rename a file": lambda: Path(file).rename(folder / "new"),
        "remove a file": Path(file).unlink,
        "connect": lambda: socket.socket().connect(("127.0.0.1", port)),
        "listen": lambda: socket.socket().bind(("127.0.0.1", 0)),
        "signal its parent": lambda: os.kill(parent, 0),
        "trace its parent": lambda: _call("ptrace", PTRACE_SEIZE, parent, 0, 0),
        "read its parent's memory": lambda: _read_memory(parent),
        "stat a file": Path(file).stat,
        "change a mode": lambda: Path(file).chmod(0o600),
        "open a socket": lambda: socket.socket().close(),
        "start a thread": threading.Thread(target=int).start,
        "run a program": lambda: os.execv("/no/such/program", ["it"]),  # noqa: S606
        "fork": _fork,
    }
    return {name: _outcome(action) for name, action in tried.items()}


def _outcome(action: Callable[[], object]) -> str:
    try:
        action()
    except (OSError, RuntimeError) as error:
        number = getattr(error, "errno", None)
        return errno.errorcode[number] if number else type(error).__name__
    return "done"


def _call(name: str, *arguments: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*(ctypes.c_long(a) for a in arguments)) == -1:
        raise OSError(ctypes.get_errno(), name)


def _read_memory(pid: int) -> None:
    place = ctypes.create_string_buffer(8)
    vector = (ctypes.c_size_t * 2)(ctypes.addressof(place), 8)
    _call("process_vm_readv", pid, ctypes.addressof(vector), 1, ctypes.addressof(vector), 1, 0)


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)
