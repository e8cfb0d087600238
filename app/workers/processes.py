"""Worker processes, as their supervisor has them: forked, told things by signals, and ended."""

import asyncio
import os
import selectors
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, NoReturn

import structlog

from app import logging
from app.config import Settings
from app.workers.channel import Channel

_HANDLED: Final = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}

log = structlog.get_logger(__name__)


async def first_of(*waits: "asyncio.Future[Any]") -> None:
    """Return as soon as one of some futures is done."""
    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)


@dataclass(frozen=True, slots=True)
class Role:
    """What a forked process is to be."""

    number: int
    """Its place among the workers, from 1 on."""
    settings: Settings
    is_first: bool
    """Whether it prepares the service for the others, and greets."""
    connection: socket.socket = field(repr=False)
    """Its end of the channel to the supervisor."""


@dataclass(eq=False)
class Worker:
    """A worker process."""

    number: int
    pid: int
    connection: socket.socket = field(repr=False)
    """The supervisor's end of the channel."""
    ended: "asyncio.Future[int]" = field(repr=False)
    """Its exit status; negative for the number of a signal."""
    begun: float = field(default_factory=time.monotonic)
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    """Set as soon as it serves."""
    channel: Channel | None = None
    """Open as long as somebody attends to it."""

    @property
    def is_alive(self) -> bool:
        return not self.ended.done()

    @property
    def age(self) -> float:
        """The seconds since it was forked."""
        return time.monotonic() - self.begun

    @property
    def outcome(self) -> str:
        """How it ended."""
        status = self.ended.result()
        if status < 0:
            return f"was ended by {signal.Signals(-status).name}"
        return f"exited with status {status}"

    async def serves(self) -> bool:
        """Wait until it serves; False: it ended before."""
        ready = asyncio.ensure_future(self.ready.wait())
        try:
            await first_of(ready, self.ended)
        finally:
            ready.cancel()
        return self.is_alive

    def send(self, *message: Any) -> None:  # noqa: ANN401 - what JSON can say
        """Send it a message, if it can get any."""
        if self.channel is not None:
            self.channel.send(*message)

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it has not ended."""
        if self.is_alive:
            os.kill(self.pid, number)

    def reap(self) -> None:
        """Find out whether it has ended."""
        if self.is_alive and (found := os.waitpid(self.pid, os.WNOHANG))[0]:
            self.ended.set_result(os.waitstatus_to_exitcode(found[1]))

    async def end(self, seconds: float) -> None:
        """Wait for its end, and kill it when that takes longer than so many seconds."""
        if not (await asyncio.wait([self.ended], timeout=seconds))[0]:
            log.warning("a worker does not end, and is killed", worker=self.number, pid=self.pid)
            self.signal(signal.SIGKILL)
            await asyncio.wait([self.ended])


class Forks:
    """Runs a coroutine that needs processes forked.

    That is done between two runs of its event loop, which a child thus has no part in. The process
    must have one thread.
    """

    def __init__(self, become: Callable[[Role], int]) -> None:
        """``become`` is all that a child does; it returns its exit status."""
        self._become = become
        # what other selectors have registered would be a child's too
        self._loop = asyncio.SelectorEventLoop(selectors.PollSelector())
        self._asked: deque[tuple[int, Settings, bool, asyncio.Future[Worker]]] = deque()
        self._is_next = asyncio.Event()
        self.living: Final[set[Worker]] = set()

    def run(self, work: Coroutine[Any, Any, int]) -> int:
        """Run to the coroutine's end; returns its result."""
        main = self._loop.create_task(work)
        while self._loop.run_until_complete(self._is_asked(main)):
            number, settings, is_first, born = self._asked.popleft()
            if born.cancelled():
                continue
            try:
                worker = self._fork(number, settings, is_first=is_first)
            except OSError as error:
                born.set_exception(error)
            else:
                self.living.add(worker)
                born.set_result(worker)
        self._loop.close()
        return main.result()

    async def worker(self, number: int, settings: Settings, *, is_first: bool = False) -> Worker:
        """Return a new worker; raises `OSError` where no process can be had."""
        born: asyncio.Future[Worker] = self._loop.create_future()
        self._asked.append((number, settings, is_first, born))
        self._is_next.set()
        return await born

    def reap(self) -> None:
        """Find out which workers have ended."""
        for worker in list(self.living):
            worker.reap()
            if not worker.is_alive:
                self.living.remove(worker)

    def _fork(self, number: int, settings: Settings, *, is_first: bool) -> Worker:
        ours, theirs = socket.socketpair()
        logging.flush()  # else a child had the lines that wait, too
        # until the handlers are gone in the child, a signal to it would be the parent's
        signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)
        try:
            pid = os.fork()
            if pid == 0:
                ours.close()
                self._be(Role(number, settings, is_first, theirs))
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
        theirs.close()
        return Worker(number, pid, ours, self._loop.create_future())

    async def _is_asked(self, main: "asyncio.Task[int]") -> bool:
        """Wait until a process is to be forked; False: the coroutine has ended."""
        self._is_next.clear()
        if not self._asked:
            asked = asyncio.ensure_future(self._is_next.wait())
            await first_of(asked, main)
            asked.cancel()
        return bool(self._asked) and not main.done()

    def _be(self, role: Role) -> NoReturn:
        """Be the child, to its end; nothing of the parent's is undone in it."""
        status = 1
        try:
            self._loop.close()  # with it go the handlers of signals
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
            for other in self.living:  # it would keep their channels open
                other.connection.close()
            status = self._become(role)
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else 1
        except BaseException:  # noqa: BLE001 - the last that there is to handle it
            sys.excepthook(*sys.exc_info())
        finally:
            logging.flush()
            with suppress(OSError):  # nobody reads it any more
                sys.stdout.flush()
            os._exit(status)
