"""The supervisor: keeps a number of workers running, replaces them, and stops them."""

import asyncio
import signal
import socket
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final

import structlog

from app.config import ConfigError, Settings
from app.workers.hub import Hub
from app.workers.processes import Forks, Role, Worker, first_of

_FIRST_BACKOFF: Final = 1.0
_MAX_BACKOFF: Final = 30.0
_STEADY: Final = 60.0
"""Seconds after which the end of a worker is no sequel of its start."""

_OVERTIME: Final = 20
"""Seconds that the end of a worker may take beyond `SHUTDOWN_GRACE`."""

log = structlog.get_logger(__name__)


class WorkerSupervisor:
    """Runs workers on sockets that they share, and serves nothing itself.

    The first worker prepares the service, and shows whether it can start at all; when it serves,
    the others follow. One that dies is replaced.
    """

    def __init__(
        self,
        settings: Settings,
        sockets: Sequence[socket.socket],
        *,
        become: Callable[[Role], int],
        load: Callable[[], Settings],
    ) -> None:
        """``become`` serves in a child; ``load`` reads the settings anew, for a reload."""
        self._settings = settings
        self._sockets = sockets
        self._load = load
        self._forks = Forks(become)
        self._hub = Hub()
        self._places: dict[int, Worker] = {}  # those that serve, by number
        self._tasks: set[asyncio.Task[None]] = set()
        self._orders: asyncio.Queue[signal.Signals | int] = asyncio.Queue()
        self._reloading = asyncio.Lock()

    def run(self) -> int:
        """Supervise until SIGTERM or SIGINT comes, or no worker can be started.

        Returns the exit status.
        """
        return self._forks.run(self._supervise())

    async def _supervise(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._orders.put_nowait, number)
        loop.add_signal_handler(signal.SIGCHLD, self._forks.reap)
        self._begin(self._start())
        while (order := await self._orders.get()) is signal.SIGHUP:
            self._begin(self._reload())
        await self._stop()
        return 0 if isinstance(order, signal.Signals) else order

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._note_end)

    def _note_end(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the supervisor failed", exc_info=error)
            self._orders.put_nowait(1)

    async def _start(self) -> None:
        first = await self._new(1, self._settings, is_first=True)
        if not await first.serves():
            self._give_up(first)
            return
        self._places[1] = first
        for number in range(1, self._settings.worker_count + 1):
            self._begin(self._keep(number))

    async def _new(self, number: int, settings: Settings, *, is_first: bool = False) -> Worker:
        worker = await self._forks.worker(number, settings, is_first=is_first)
        await self._hub.attend(worker)
        return worker

    async def _keep(self, number: int) -> None:
        """Keep a place taken: start another worker when its own has ended."""
        backoff = _FIRST_BACKOFF
        while True:
            worker = self._places.get(number)
            if worker is None:
                worker = await self._new(number, self._settings)
                if await worker.serves():
                    await self._seat(worker)
            await asyncio.wait([worker.ended])
            if self._places.get(number, worker) is not worker:  # it has been replaced
                continue
            log.error("a worker has died", worker=number, pid=worker.pid, outcome=worker.outcome)
            served = self._places.pop(number, None) is not None
            if not served and not self._places:
                self._give_up(worker)
                return
            if worker.age >= _STEADY:
                backoff = _FIRST_BACKOFF
            else:
                await asyncio.sleep(backoff)
                backoff = min(2 * backoff, _MAX_BACKOFF)

    async def _seat(self, worker: Worker) -> None:
        """Give a worker that serves its place; who had that before ends in good order."""
        former = self._places.get(worker.number)
        self._places[worker.number] = worker
        if former is not None:
            former.send("drain")
            await former.end(self._settings.shutdown_grace + _OVERTIME)

    async def _reload(self) -> None:
        """Replace the workers one after the other by some with the settings as they are now."""
        async with self._reloading:
            try:
                settings = self._load()
            except ConfigError as error:
                log.warning("not reloaded: the settings are wrong", error=str(error))
                return
            for number in sorted(self._places):
                worker = await self._new(number, settings)
                if not await worker.serves():
                    log.warning("not reloaded: a worker can't start", outcome=worker.outcome)
                    return
                self._settings = settings
                await self._seat(worker)
            log.info("reloaded", workers=len(self._places))

    def _give_up(self, worker: Worker) -> None:
        """End, since there is no worker, and none can be started."""
        log.error("no worker can be started", outcome=worker.outcome)
        self._orders.put_nowait(max(1, worker.ended.result()))

    async def _stop(self) -> None:
        """Stop all workers at once; what the supervisor is told further, they are told too."""
        for task in self._tasks:
            task.cancel()
        for listening in self._sockets:
            listening.close()
        seconds = self._settings.shutdown_grace + _OVERTIME
        ending = asyncio.gather(*(worker.end(seconds) for worker in self._forks.living))
        order: int = signal.SIGTERM
        while not ending.done():
            if order in {signal.SIGTERM, signal.SIGINT}:
                for worker in self._forks.living:
                    worker.signal(signal.Signals(order))
            asked = asyncio.ensure_future(self._orders.get())
            await first_of(ending, asked)
            if asked.done():
                order = asked.result()
            asked.cancel()
        await self._hub.aclose()
