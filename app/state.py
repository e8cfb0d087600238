"""The state of the service: readiness, background work, storage use."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import structlog

from app import clock
from app.database import Database
from app.disks import look_at
from app.moving.rows import Progress, progress
from app.objects.storage_use import MAX_AGE, StorageUse, StorageUses
from app.processes.pool import ChildPool
from app.tasks.supervisor import Task
from app.tasks.sweep import Sweep
from app.trends.entities import Trends
from app.trends.rows import trends

CHECK_TIMEOUT: Final = 5.0
"""Seconds within which a part must answer."""

_DISPENSABLE: Final = frozenset({"redis", "decoders"})
"""Parts without which most requests can be served."""

log = structlog.get_logger(__name__)

Ping = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Check:
    """The answer of one part, and after how many milliseconds."""

    status: Literal["ok", "failed"]
    ms: float
    confinement: str | None = None
    """How the kernel confines the processes that read untrusted content."""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether the service can serve requests, and the answers of its parts."""

    status: Literal["ready", "degraded", "unavailable"]
    checks: Mapping[str, Check]


class ServiceState:
    """The state of the running service, for load balancers and administrators."""

    def __init__(
        self,
        database: Database,
        parts: Mapping[str, Ping],
        decoders: ChildPool,
        *,
        sweep: Sweep,
        expiry: Task,
        moving: bool,
        folders: Mapping[str, Path],
    ) -> None:
        """``parts`` are further parts that must answer, by name, ``folders`` what is on disks."""
        self._database = database
        self._moving = moving
        self._parts = {"database": database.ping, **parts, "decoders": decoders.ping}
        self._decoders = decoders
        self._uses = StorageUses(database)
        self._sweep = sweep
        self._tasks = (expiry, sweep)
        self._folders = folders
        self._counting = asyncio.Lock()
        self._trends: tuple[int, Trends] | None = None
        self._checking: asyncio.Task[dict[str, Check]] | None = None

    async def readiness(self) -> Readiness:
        """Check whether the service can serve requests."""
        checks = await self._shared_checks()
        failed = {name for name, check in checks.items() if check.status != "ok"}
        if failed - _DISPENSABLE:
            return Readiness("unavailable", checks)
        return Readiness("degraded" if failed else "ready", checks)

    async def lags(self) -> dict[str, float]:
        """Return by task how many seconds its work is late; 0 is as it should be."""
        now = clock.now()
        return {task.name: await task.lag(now) for task in self._tasks}

    async def backlog(self) -> int:
        """Return how many objects wait to be deleted, up to `app.tasks.sweep.MANY`."""
        return await self._sweep.backlog(clock.now())

    async def storage_use(self) -> StorageUse:
        """Return how much the service keeps."""
        return await self._uses.latest(clock.now())

    async def trends(self, days: int) -> Trends:
        """Return the figures of the last days; counted anew when they are older than 5 minutes."""
        now = clock.now()
        async with self._counting:
            if self._trends is None or now - self._trends[0] >= MAX_AGE:
                self._trends = now, await self._database.read_long(trends, days, now)
            return self._trends[1]

    async def disks(self) -> dict[str, tuple[int, int]]:
        """Return by what is on disks how many of their bytes are free, and how many there are."""
        found = await asyncio.to_thread(look_at, self._folders)
        return {
            name: (disk.f_bavail * disk.f_frsize, disk.f_blocks * disk.f_frsize)
            for name, disk in found.items()
        }

    async def move(self) -> Progress | None:
        """Return how far the move to another store has come; None: there is none, as far as known.

        It is as another process has noted it, if that one copies.
        """
        return await self._database.read(progress) if self._moving else None

    async def _shared_checks(self) -> dict[str, Check]:
        """Check every part once for all concurrent callers."""
        if self._checking is None or self._checking.done():
            self._checking = asyncio.create_task(self._check_all())
        return await asyncio.shield(self._checking)

    async def _check_all(self) -> dict[str, Check]:
        checks = await asyncio.gather(*(_check(name, ping) for name, ping in self._parts.items()))
        found = dict(zip(self._parts, checks, strict=True))
        found["decoders"] = replace(found["decoders"], confinement=self._decoders.confinement)
        return found


async def _check(name: str, ping: Ping) -> Check:
    started = time.perf_counter()
    status: Literal["ok", "failed"] = "ok"
    try:
        async with asyncio.timeout(CHECK_TIMEOUT):
            await ping()
    except Exception as error:  # noqa: BLE001 - reported, below and in the answer
        # without a traceback: balancers ask every few seconds, and the error says enough
        log.warning("a part of the service does not answer", part=name, error=repr(error))
        status = "failed"
    return Check(status, round((time.perf_counter() - started) * 1000, 2))
