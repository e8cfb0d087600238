"""A child process, seen from its parent."""

import asyncio
import io
import os
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, Final

from app.processes.child import LENGTH, OUT_OF_MEMORY

_ROOT: Final = Path(__file__).parents[2]
# what Python itself may need; the rest of the environment may hold secrets
_ENVIRONMENT: Final = ("LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME")


class Call:
    """A call of a module-level function, serialized for a child.

    Open files among the arguments go as descriptors, and must stay open until the answer.
    """

    def __init__(self, fn: Callable[..., object], arguments: Sequence[object]) -> None:
        data = io.BytesIO()
        self.descriptors: list[int] = []
        _Pickler(data, self.descriptors).dump((fn, tuple(arguments)))
        self.data = data.getvalue()


class _Pickler(pickle.Pickler):
    def __init__(self, data: io.BytesIO, descriptors: list[int]) -> None:
        super().__init__(data)
        self._descriptors = descriptors

    def persistent_id(self, obj: object, /) -> tuple[int, str] | None:
        if not isinstance(obj, io.BufferedReader | io.BufferedWriter):
            return None
        self._descriptors.append(obj.fileno())
        mode = "rb" if isinstance(obj, io.BufferedReader) else "wb"
        return len(self._descriptors) - 1, mode


class Answer(pickle.Unpickler):
    """Reads a child's answer, which may be forged: plain values, dataclasses, exceptions only."""

    def __init__(self, data: bytearray) -> None:
        super().__init__(io.BytesIO(data))

    def find_class(self, module: str, name: str, /) -> Any:  # noqa: ANN401 - a class
        found = getattr(sys.modules.get(module), name, None)
        if isinstance(found, type) and (is_dataclass(found) or issubclass(found, Exception)):
            return found
        raise pickle.UnpicklingError(f"{module}.{name}")


class Child:
    """A child process and the parent's end of its socket.

    The constructor blocks; it raises `OSError` if the process can't be started.
    """

    def __init__(
        self, name: str, memory: int, modules: Sequence[str], *, threads: bool, output: int = 0
    ) -> None:
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(0)
        with theirs:
            try:
                self._process = _spawn(theirs, (memory, output), name, modules, threads=threads)
            except OSError:
                self._socket.close()
                raise

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    async def ask(self, call: Call, limit: int) -> bytearray:
        """Send a call and return its answer; raises `OSError` if the child has ended."""
        loop = asyncio.get_running_loop()
        # the socket is idle, so its buffer has room for so few bytes
        socket.send_fds(self._socket, [len(call.data).to_bytes(LENGTH)], call.descriptors)
        await loop.sock_sendall(self._socket, call.data)
        return await self.receive(limit)

    async def receive(self, limit: int) -> bytearray:
        """Return the next message, of up to ``limit`` bytes."""
        size = int.from_bytes(await self._exactly(LENGTH))
        if size > limit:
            raise ConnectionAbortedError
        return await self._exactly(size)

    async def _exactly(self, size: int) -> bytearray:
        loop = asyncio.get_running_loop()
        data = bytearray(size)
        filled = 0
        while filled < size:
            received = await loop.sock_recv_into(self._socket, memoryview(data)[filled:])
            if received == 0:
                raise ConnectionResetError
            filled += received
        return data

    def kill(self) -> None:
        self._process.kill()

    def hang_up(self) -> None:
        self._socket.close()

    def exit_reason(self) -> str:
        """Wait until a child that was killed, or is about to end, has ended; says how it ended."""
        status = self._process.wait()
        if status == OUT_OF_MEMORY:
            return "took too much memory"
        if status >= 0:
            return f"exited with status {status}"
        return f"was ended by {signal.Signals(-status).name}"


def _spawn(
    connection: socket.socket,
    limits: tuple[int, int],
    name: str,
    modules: Sequence[str],
    *,
    threads: bool,
) -> "subprocess.Popen[bytes]":
    environment = {n: os.environ[n] for n in _ENVIRONMENT if n in os.environ}
    arguments = (connection.fileno(), os.getpid(), *limits, int(threads), name, *modules)
    return subprocess.Popen(  # noqa: S603 - no argument comes from outside
        [sys.executable, "-B", "-m", "app.processes.child", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(connection.fileno(),),
        cwd=_ROOT,
        env=environment | {"MALLOC_ARENA_MAX": "1"},
        start_new_session=True,
    )
