"""Background tasks: each runs when work is due, survives failures, and can be woken."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Final, Protocol

import structlog

from app import clock, metrics

_FIRST_BACKOFF: Final = 1.0
_MAX_BACKOFF: Final = 60.0
_RARELY: Final = 10
_PAUSE: Final = 0.1  # at least: another process may be working on what is due

log = structlog.get_logger(__name__)


class Lead(Protocol):
    """Which of several processes does the background work."""

    @property
    def leads(self) -> bool:
        """Whether it is this one."""

    def delegate(self, task: str) -> bool:
        """Have the process that leads wake a task; False: it is this one."""


class Alone:
    """The one process that there is."""

    leads = True

    def delegate(self, task: str) -> bool:
        del task
        return False


class Task(ABC):
    """A background task, safe to run in every process at once."""

    name: ClassVar[str]
    interval: ClassVar[float] = 60.0
    """Seconds after which it looks for work that nobody has announced."""
    is_of_process: ClassVar[bool] = False
    """Whether its work is that of its process alone, so that no other can do it."""

    def __init__(self) -> None:
        self.woken = asyncio.Event()
        self.lead: Lead = Alone()

    def wake(self) -> None:
        """Run soon, because there is work; in the process that leads."""
        if self.is_of_process or not self.lead.delegate(self.name):
            self.woken.set()

    @abstractmethod
    async def run_once(self, now: int) -> int:
        """Do one batch of the work that is due at ``now``; returns its size."""

    async def next_due(self, now: int) -> int | None:
        """Return when work will be due, in microseconds; None if none is known."""
        del now
        return None

    async def lag(self, now: int) -> float:
        """Return how many seconds the most overdue work is late."""
        due = await self.next_due(now)
        return 0.0 if due is None else max(0, now - due) / clock.SECOND


class Supervisor:
    """Runs tasks until it is closed.

    Where another process leads, they only look now and then whether it has left something.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._running = [asyncio.create_task(_run(task), name=task.name) for task in tasks]

    async def aclose(self) -> None:
        for running in self._running:
            running.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)


async def _run(task: Task) -> None:
    backoff = _FIRST_BACKOFF
    done, failed = (metrics.task_runs.labels(task.name, outcome) for outcome in ("done", "failed"))
    while True:
        task.woken.clear()
        try:
            while await task.run_once(clock.now()):
                done.inc()
            delay = await _until_due(task)
            backoff = _FIRST_BACKOFF
        except Exception:
            failed.inc()
            log.exception("a background task failed and will be tried again", task=task.name)
            delay, backoff = backoff, min(backoff * 2, _MAX_BACKOFF)
            await asyncio.sleep(delay)
            continue
        try:
            async with asyncio.timeout(delay):
                await task.woken.wait()
        except TimeoutError:
            pass


async def _until_due(task: Task) -> float:
    if not (task.lead.leads or task.is_of_process):
        return _RARELY * task.interval
    now = clock.now()
    due = await task.next_due(now)
    if due is None:
        return task.interval
    return min(task.interval, max(_PAUSE, (due - now) / clock.SECOND))
