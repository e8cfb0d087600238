"""Gauges that are found out when somebody reads the metrics: disks, what is stored, late tasks."""

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Final

import structlog
from prometheus_client import generate_latest

from app import clock, disks, metrics
from app.config import Settings
from app.database import DatabaseUnavailable
from app.moving.rows import Progress
from app.objects.storage_use import StorageUse
from app.state import ServiceState
from app.tasks.supervisor import Task
from app.workers.link import Link
from app.workers.sharing import metrics_of_all

_PATIENCE: Final = 2.0  # seconds: Prometheus waits for ten, and the other figures matter more now

log = structlog.get_logger(__name__)


class Gauges:
    """Brings the gauges up to date. One whose figure can't be found out has no series."""

    def __init__(
        self,
        state: ServiceState,
        tasks: Sequence[Task],
        settings: Settings,
        link: Link | None = None,
    ) -> None:
        """``link`` is that of a worker, which answers for all."""
        self._link = link
        self._state = state
        self._tasks = tasks
        self._settings = settings
        self._folders = disks.folders_of(settings)
        self._finding: asyncio.Task[None] | None = None

    async def refresh(self) -> None:
        """Find out all figures, once for all who ask meanwhile.

        Those that take longer than two seconds come with the next call.
        """
        if self._finding is None or self._finding.done():
            self._finding = asyncio.create_task(self._find())
        await asyncio.wait([self._finding], timeout=_PATIENCE)

    async def exposition(self) -> bytes:
        """Return all metrics, just brought up to date, in the form of Prometheus."""
        await self.refresh()
        if self._link is not None:
            return await metrics_of_all(self._link)
        return generate_latest(metrics.registry)

    async def aclose(self) -> None:
        if self._finding is not None:
            self._finding.cancel()
            await asyncio.wait([self._finding])

    async def _find(self) -> None:
        _set_disks(await asyncio.to_thread(disks.look_at, self._folders))
        try:
            now = clock.now()
            lags = {task.name: await task.lag(now) for task in self._tasks}
            use = await self._state.storage_use()
            left = await self._state.move()
        except DatabaseUnavailable as error:
            log.warning("some metrics are missing: the database fails", error=repr(error))
            lags, use, left = {}, None, None
        metrics.task_lag.clear()
        for task, lag in lags.items():
            metrics.task_lag.labels(task).set(lag)
        _set_stored(use)
        self._set_left(left)

    def _set_left(self, left: Progress | None) -> None:
        for gauge in (metrics.move_objects, metrics.move_bytes, metrics.move_failures):
            gauge.clear()
        if left is not None:
            source = str(self._settings.previous_storage)
            metrics.move_objects.labels(source).set(left.objects)
            metrics.move_bytes.labels(source).set(left.bytes)
            metrics.move_failures.labels(source).set(left.failed)


def _set_stored(use: StorageUse | None) -> None:
    metrics.stored_objects.clear()
    metrics.stored_bytes.clear()
    metrics.accounts.set(float("nan") if use is None else use.accounts)
    if use is not None:
        for kind in use.kinds:
            metrics.stored_objects.labels(kind.kind).set(kind.objects)
            metrics.stored_bytes.labels(kind.kind).set(kind.bytes)


def _set_disks(found: Mapping[str, os.statvfs_result]) -> None:
    metrics.disk_free.clear()
    metrics.disk_size.clear()
    for name, disk in found.items():
        metrics.disk_free.labels(name).set(disk.f_bavail * disk.f_frsize)
        metrics.disk_size.labels(name).set(disk.f_blocks * disk.f_frsize)
