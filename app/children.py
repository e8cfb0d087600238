"""Child processes for what may go wrong in any way: crash, hang, eat all memory.

Reading what strangers sent, in libraries written in C, is done there: it can end its child, never
the service.
"""

import asyncio
import io
import os
import pickle
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, Final, TypeVar, TypeVarTuple, cast

import structlog

from app.child import LENGTH, OUT_OF_MEMORY
from app.errors import ServiceUnavailable

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_START_SECONDS: Final = 60.0  # of a child, on a host that is busy
_ROOT: Final = Path(__file__).parent.parent
# no secret is among these; all else that the service knows from its environment stays with it
_ENVIRONMENT: Final = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "LANG", "TZ")

log = structlog.get_logger(__name__)


class ChildFailed(Exception):
    """A child died, or was killed, before it had an answer; ``reason`` says how."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NoChild(ChildFailed):
    """No child could be had, which says nothing about what it was to do."""


class ChildPool:
    """Runs functions in a bounded number of child processes, which are started as needed.

    ``memory`` bounds each child's data in bytes, ``seconds`` each call's time. A child has none
    of the service's files, sockets or secrets, but its user's rights; it ends when the service
    does.
    """

    def __init__(self, *, workers: int, memory: int, seconds: float, name: str) -> None:
        self._name = name
        self._memory = memory
        self._seconds = seconds
        self._workers = workers
        self._slots = asyncio.Semaphore(workers)
        self._idle: list[_Child] = []
        self._busy: set[_Child] = set()
        self._starting: set[asyncio.Future[_Child]] = set()
        # one thread for all: a child is told to die with the thread that started it
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"{name}-children")
        self._closed = False

    async def run(self, fn: Callable[[*Ts], T], /, *args: *Ts) -> T:
        """Return what the module-level function returns; what it raises is raised.

        Arguments go by pickle; the result and the exception may be made of plain values and
        dataclasses. Raises `ChildFailed` when the child dies, takes too long or too much memory,
        and `ServiceUnavailable` when it is not the call's fault. A caller who is cancelled takes
        the child with it.
        """
        call = pickle.dumps((fn, args))
        async with self._slots:
            child = await self._take()
            try:
                async with asyncio.timeout(self._seconds):
                    answer = await child.ask(call, self._memory)
            except TimeoutError:
                self._discard(child)
                raise self._failed(f"took more than {self._seconds:g} s") from None
            except OSError:  # it is gone, or has closed its end
                self._discard(child)
                loop = asyncio.get_running_loop()
                reason = await loop.run_in_executor(self._thread, child.epitaph)
                if self._closed:
                    raise ServiceUnavailable("The service is stopping") from None
                raise self._failed(reason) from None
            except BaseException:
                self._discard(child)
                raise
            self._busy.discard(child)
            self._idle.append(child)
        return cast("T", self._result(answer))

    async def aclose(self) -> None:
        """End all children; calls under way raise `ServiceUnavailable`."""
        self._closed = True
        for child in self._busy:
            child.kill()
        for _ in range(self._workers):
            await self._slots.acquire()
        while self._idle:
            self._discard(self._idle.pop())
        if self._starting:  # for callers who were cancelled meanwhile
            await asyncio.wait(self._starting)
        await asyncio.to_thread(self._thread.shutdown)
        for _ in range(self._workers):
            self._slots.release()  # for calls that come now, to be told

    async def _take(self) -> "_Child":
        if self._closed:
            raise ServiceUnavailable("The service is stopping")
        while self._idle:
            child = self._idle.pop()
            if child.is_alive:
                self._busy.add(child)
                return child
            self._discard(child)
        return await self._start()

    async def _start(self) -> "_Child":
        starting = asyncio.get_running_loop().run_in_executor(
            self._thread, _Child, self._name, self._memory
        )
        self._starting.add(starting)
        starting.add_done_callback(self._starting.discard)
        try:
            child = await asyncio.shield(starting)
        except asyncio.CancelledError:
            starting.add_done_callback(self._discard_started)
            raise
        except OSError as error:
            log.error("a child process can't be started", pool=self._name, error=str(error))  # noqa: TRY400
            raise ServiceUnavailable from error
        self._busy.add(child)
        if self._closed:
            child.kill()
        try:
            async with asyncio.timeout(_START_SECONDS):
                await child.receive(self._memory)
        except (OSError, TimeoutError):
            self._discard(child)
            if not self._closed:
                log.error("a child process did not start", pool=self._name)  # noqa: TRY400
            raise ServiceUnavailable from None
        except BaseException:
            self._discard(child)
            raise
        return child

    def _discard_started(self, starting: "asyncio.Future[_Child]") -> None:
        if starting.exception() is None:
            self._discard(starting.result())

    def _discard(self, child: "_Child") -> None:
        """End a child for good; nobody may be waiting for its answer any more."""
        self._busy.discard(child)
        child.kill()
        child.hang_up()
        self._thread.submit(child.epitaph)

    def _failed(self, reason: str, kind: type[ChildFailed] = ChildFailed) -> ChildFailed:
        log.warning("a child process failed", pool=self._name, reason=reason)
        return kind(reason)

    def _result(self, answer: bytearray) -> Any:  # noqa: ANN401 - what the function returns
        try:
            done, value = _Answer(io.BytesIO(answer)).load()
        except Exception as error:  # noqa: BLE001 - bad pickles raise anything
            raise self._failed(f"its answer can't be read: {error}") from None
        if done:
            return value
        raise value if isinstance(value, Exception) else self._failed(str(value))


class _Child:
    """One child process, and the parent's end of its socket."""

    def __init__(self, name: str, memory: int) -> None:
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(0)
        with theirs:
            try:
                self._process = _spawn(theirs, memory, name)
            except OSError:
                self._socket.close()
                raise

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    async def ask(self, call: bytes, limit: int) -> bytearray:
        """Send a call and return its answer; raises `OSError` when the child is gone."""
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self._socket, len(call).to_bytes(LENGTH))
        await loop.sock_sendall(self._socket, call)
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

    def epitaph(self) -> str:
        """Wait for the end of a child that is going, and say how that came."""
        status = self._process.wait()
        if status == OUT_OF_MEMORY:
            return "took too much memory"
        if status >= 0:
            return f"exited with status {status}"
        return f"was ended by {signal.Signals(-status).name}"


def _spawn(connection: socket.socket, memory: int, name: str) -> "subprocess.Popen[bytes]":
    environment = {n: os.environ[n] for n in _ENVIRONMENT if n in os.environ}
    arguments = (connection.fileno(), os.getpid(), memory, name)
    return subprocess.Popen(  # noqa: S603 - nothing of it comes from outside
        [sys.executable, "-B", "-m", "app.child", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=(connection.fileno(),),
        cwd=_ROOT,
        env=environment | {"MALLOC_ARENA_MAX": "1"},
        start_new_session=True,
    )


class _Answer(pickle.Unpickler):
    """Reads what a child answers, which may be in a stranger's hand: plain values, no calls."""

    def find_class(self, module: str, name: str, /) -> Any:  # noqa: ANN401 - a class
        found = getattr(sys.modules.get(module), name, None)
        if isinstance(found, type) and (is_dataclass(found) or issubclass(found, Exception)):
            return found
        raise pickle.UnpicklingError(f"{module}.{name}")
