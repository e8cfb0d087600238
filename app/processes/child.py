"""The program of a child process: it confines itself, then answers one call after another.

Of the service it imports only what its calls need, so that it is small and starts quickly.
"""

import ctypes
import importlib
import io
import os
import pickle
import resource
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Final

from app.processes import confinement

LENGTH: Final = 8
"""Bytes before each message, which hold its length, big-endian; open files come with them."""

MAX_FILES: Final = 40
"""Open files that a call may have."""

OUT_OF_MEMORY: Final = 77
"""Exit status of a child that exceeded its memory."""

_NICENESS: Final = 10  # the service comes first
_OPEN_FILES: Final = 64
_PR_SET_PDEATHSIG: Final = 1


def main() -> None:
    """Answer calls from the inherited socket until its other end is closed."""
    descriptor, parent, memory, output = (int(argument) for argument in sys.argv[1:5])
    threads = sys.argv[5] == "1"
    _end_with(parent)
    _limit(memory, output, threads=threads)
    os.nice(_NICENESS)
    connection = socket.socket(fileno=descriptor)
    for module in sys.argv[7:]:
        importlib.import_module(module)
    confinement.confine(threads=threads)
    connection.sendall(bytes(LENGTH))  # ready
    while (received := _receive(connection)) is not None:
        try:
            answer = _answer(*received)
        except MemoryError:
            os._exit(OUT_OF_MEMORY)
        del received
        connection.sendall(len(answer).to_bytes(LENGTH))
        connection.sendall(answer)
        del answer


def _end_with(parent: int) -> None:
    """Die with the parent, however it ends, but not by the signals that stop the service."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before this call
        os._exit(0)


def _limit(memory: int, output: int, *, threads: bool) -> None:
    # data rather than address space, of which libraries and stacks reserve far more than they use
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (output, output))
    if not threads:  # threads count as processes here, together with all others of the user
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))
    with suppress(OSError):  # if the host runs out of memory, children are killed first
        Path("/proc/self/oom_score_adj").write_text("1000")


def _answer(call: bytes, descriptors: Sequence[int]) -> bytes:
    read = _Call(call, descriptors)
    try:
        fn, arguments = read.load()
        answer = fn(*arguments)
        read.close()  # which may write, and fail
        return pickle.dumps((True, answer))
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - for the caller to handle
        return _failure(error)
    finally:
        with suppress(OSError):  # of what a failed call had written
            read.close()


class _Call(pickle.Unpickler):
    """Reads a call from the parent, in which open files are numbers with their modes."""

    def __init__(self, call: bytes, descriptors: Sequence[int]) -> None:
        super().__init__(io.BytesIO(call))
        self._descriptors = list(descriptors)
        self._files: dict[int, BinaryIO] = {}

    def persistent_load(self, file: tuple[int, str], /) -> BinaryIO:
        number, mode = file
        opened: BinaryIO = os.fdopen(self._descriptors[number], mode)  # type: ignore[assignment]
        self._files[number] = opened
        return opened

    def close(self) -> None:
        """Close the files of the call, those as well that it didn't get to."""
        while self._descriptors:
            descriptor = self._descriptors.pop()
            file = self._files.get(len(self._descriptors))
            if file is None:
                os.close(descriptor)
            else:
                file.close()


def _failure(error: Exception) -> bytes:
    error.__traceback__ = error.__cause__ = error.__context__ = None
    try:
        answer = pickle.dumps((False, error))
        pickle.loads(answer)  # noqa: S301 - some can be pickled but not unpickled
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 - its methods may raise anything
        return pickle.dumps((False, f"{type(error).__name__}: {error}"))
    return answer


def _receive(connection: socket.socket) -> tuple[bytes, list[int]] | None:
    header, descriptors, _, _ = socket.recv_fds(connection, LENGTH, MAX_FILES)
    rest = _exactly(connection, LENGTH - len(header)) if header else None
    if rest is None:
        return None
    call = _exactly(connection, int.from_bytes(header + rest))
    return None if call is None else (call, descriptors)


def _exactly(connection: socket.socket, size: int) -> bytes | None:
    data = bytearray(size)
    view = memoryview(data)
    while view:
        received = connection.recv_into(view)
        if received == 0:
            return None
        view = view[received:]
    return bytes(data)


if __name__ == "__main__":
    main()
