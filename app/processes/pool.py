"""A pool of child processes that parse untrusted files, mostly with libraries written in C.

A file that makes them crash, hang, use up memory or run foreign code harms one child, never the
service.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final, TypeVar, TypeVarTuple, cast

import structlog

from app import metrics
from app.errors import ServiceUnavailable
from app.permits import LocalPermits, Permits
from app.processes import confinement
from app.processes.child_process import Answer, Call, Child

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_START_SECONDS: Final = 60.0  # for a child to start on a busy host

log = structlog.get_logger(__name__)


class ChildFailed(Exception):
    """A child ended before it answered; ``reason`` says how, as in "was ended by SIGKILL"."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ChildPool:
    """Runs functions in up to ``workers`` child processes, which are started as needed.

    A child imports ``modules``, which must be all that the functions need, and then confines
    itself (`app.processes.confinement`). ``memory`` limits a child's data in bytes, ``seconds`` the
    time of a call, ``queue`` the calls that wait for a child, ``output`` the bytes of a file that a
    child writes; ``threads`` permits it to start threads. Of the service's files, sockets and
    secrets, a child has only the files of its call. It ends with the service.
    """

    def __init__(
        self,
        *,
        workers: int,
        memory: int,
        seconds: float,
        name: str,
        modules: Sequence[str],
        queue: int = 128,
        threads: bool = False,
        output: int = 0,
        permits: Permits | None = None,
        at_once: int | None = None,
    ) -> None:
        """Of all processes that have ``permits`` together, ``at_once`` children may be busy."""
        self._permits = permits or LocalPermits()
        self._at_once = at_once or workers
        self._name = name
        self._modules = modules
        self._threads = threads
        self._output = output
        self._memory = memory
        self._seconds = seconds
        self._workers = workers
        self._slots = asyncio.Semaphore(workers)
        self._queue = queue
        self._waiting = 0
        self._all_waiting = metrics.child_waiting.labels(name)
        self._active = metrics.child_calls.labels(name)
        self._seconds_taken = metrics.child_seconds.labels(name)
        self._failures = metrics.child_failures.labels(name)
        self._idle: list[Child] = []
        self._busy: set[Child] = set()
        self._starting: set[asyncio.Future[Child]] = set()
        # one thread: a child dies with the thread that started it
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"{name}-children")
        self._can_start = True
        self._closed = False

    @property
    def confinement(self) -> str:
        """How the children are confined; see `confinement.names`."""
        return confinement.names()

    async def ping(self) -> None:
        """Raise `ServiceUnavailable` if the last attempt to start a child failed."""
        if not self._can_start:
            raise ServiceUnavailable(f"No child process can be started for {self._name}")

    async def run(self, fn: Callable[[*Ts], T], /, *args: *Ts) -> T:
        """Call a module-level function in a child; returns its result, or raises its exception.

        Arguments are pickled, but open files are passed as such; the result and the exception may
        consist of plain values and dataclasses. Raises `ChildFailed` when the child dies, or
        exceeds its time or memory, and `ServiceUnavailable` when the call is not to blame.
        Cancelling the caller ends the child.
        """
        call = Call(fn, args)
        async with self._turn():
            child = await self._take()
            try:
                async with asyncio.timeout(self._seconds):
                    answer = await child.ask(call, self._memory)
            except TimeoutError:
                self._discard(child)
                raise self._failed(f"took more than {self._seconds:g} s") from None
            except OSError:  # it has ended, or closed its socket
                self._discard(child)
                loop = asyncio.get_running_loop()
                reason = await loop.run_in_executor(self._thread, child.exit_reason)
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
        """End all children; running calls raise `ServiceUnavailable`."""
        self._closed = True
        for child in self._busy:
            child.kill()
        for _ in range(self._workers):
            await self._slots.acquire()
        while self._idle:
            self._discard(self._idle.pop())
        if self._starting:  # by callers that have been cancelled
            await asyncio.wait(self._starting)
        await asyncio.to_thread(self._thread.shutdown)
        for _ in range(self._workers):
            self._slots.release()  # so that later calls are refused rather than wait

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._slots.locked() and self._waiting >= self._queue:
            raise ServiceUnavailable("Too many requests are waiting for this right now")
        self._waiting += 1
        self._all_waiting.value += 1
        try:
            await self._slots.acquire()
            try:
                await self._permits.acquire(self._name, self._at_once)
            except BaseException:
                self._slots.release()
                raise
        finally:
            self._waiting -= 1
            self._all_waiting.value -= 1
        self._active.value += 1
        started = time.perf_counter()
        try:
            yield
        finally:
            self._active.value -= 1
            self._seconds_taken.observe(time.perf_counter() - started)
            self._permits.release(self._name)
            self._slots.release()

    async def _take(self) -> Child:
        if self._closed:
            raise ServiceUnavailable("The service is stopping")
        while self._idle:
            child = self._idle.pop()
            if child.is_alive:
                self._busy.add(child)
                return child
            self._discard(child)
        return await self._start()

    async def _start(self) -> Child:
        start = partial(
            Child,
            self._name,
            self._memory,
            self._modules,
            threads=self._threads,
            output=self._output,
        )
        starting = asyncio.get_running_loop().run_in_executor(self._thread, start)
        self._starting.add(starting)
        starting.add_done_callback(self._starting.discard)
        try:
            child = await asyncio.shield(starting)
        except asyncio.CancelledError:
            starting.add_done_callback(self._discard_started)
            raise
        except OSError as error:
            raise self._not_started(str(error)) from error
        self._busy.add(child)
        if self._closed:
            child.kill()
        try:
            async with asyncio.timeout(_START_SECONDS):
                await child.receive(self._memory)
        except (OSError, TimeoutError):
            self._discard(child)
            raise self._not_started("it ended, or took too long") from None
        except BaseException:
            self._discard(child)
            raise
        self._can_start = True
        return child

    def _not_started(self, reason: str) -> ServiceUnavailable:
        if not self._closed:
            log.error("a child process can't be started", pool=self._name, reason=reason)
            self._can_start = False
        return ServiceUnavailable()

    def _discard_started(self, starting: "asyncio.Future[Child]") -> None:
        if starting.exception() is None:
            self._discard(starting.result())

    def _discard(self, child: Child) -> None:
        """End a child whose answer nobody waits for."""
        self._busy.discard(child)
        child.kill()
        child.hang_up()
        self._thread.submit(child.exit_reason)

    def _failed(self, reason: str) -> ChildFailed:
        self._failures.value += 1
        log.warning("a child process failed", pool=self._name, reason=reason)
        return ChildFailed(reason)

    def _result(self, answer: bytearray) -> Any:  # noqa: ANN401 - what the function returns
        try:
            done, value = Answer(answer).load()
        except Exception as error:  # noqa: BLE001 - bad pickles raise anything
            raise self._failed(f"its answer can't be read: {error}") from None
        if done:
            return value
        raise value if isinstance(value, Exception) else self._failed(str(value))
