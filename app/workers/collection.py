"""The collection of the figures of all workers, for the one that is asked for metrics."""

import asyncio
from collections.abc import Iterable
from typing import Final

from app.metrics.figures import Figures, added, counted
from app.workers.processes import Worker

_SECONDS: Final = 1.0
"""Seconds in which workers report their figures; of those that don't, the last ones count."""


class Collection:
    """The last figures of each worker, and the sum of those of workers that have ended."""

    def __init__(self) -> None:
        self._last: dict[Worker, Figures] = {}
        self._ended: Figures = {}
        self._awaited: dict[Worker, asyncio.Event] = {}
        self._answering: set[asyncio.Task[None]] = set()

    def note(self, worker: Worker, figures: Figures) -> None:
        """Note what a worker has reported."""
        self._last[worker] = figures
        self._arrived(worker)

    def forget(self, worker: Worker) -> None:
        """Keep of a worker that has ended what it had counted when it last reported."""
        self._ended = added(self._ended, counted(self._last.pop(worker, {})))
        self._arrived(worker)

    def begin(self, asking: Worker, number: int, workers: Iterable[Worker]) -> None:
        """Begin to collect the figures of all; they are the answer to a question of that number."""
        others = [worker for worker in workers if worker is not asking]
        task = asyncio.create_task(self._collect(asking, number, others))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def aclose(self) -> None:
        await asyncio.gather(*self._answering)

    async def _collect(self, asking: Worker, number: int, others: list[Worker]) -> None:
        reports = [asyncio.ensure_future(self._report(worker).wait()) for worker in others]
        if reports:
            for late in (await asyncio.wait(reports, timeout=_SECONDS))[1]:
                late.cancel()
        oldest_first = sorted(self._last.items(), key=lambda item: item[0].begun)
        found = [[worker.number, figures] for worker, figures in oldest_first]
        asking.send("answer", number, [found, self._ended])

    def _report(self, worker: Worker) -> asyncio.Event:
        """Have a worker report, if it does not yet."""
        if (awaited := self._awaited.get(worker)) is None:
            awaited = self._awaited[worker] = asyncio.Event()
            worker.send("report")
        return awaited

    def _arrived(self, worker: Worker) -> None:
        if awaited := self._awaited.pop(worker, None):
            awaited.set()
