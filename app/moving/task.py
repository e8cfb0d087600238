"""The task that moves objects to another store, in one process at a time."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import structlog

from app import clock
from app.config import Settings
from app.database import Database
from app.moving import marks, rows
from app.moving.copying import Copying, Rate
from app.moving.remaining import remaining
from app.moving.rows import Progress
from app.tasks.supervisor import Task
from storage.moving import MovingStore

_RENEWAL: Final = 10.0  # seconds
_RETRY: Final = 15 * clock.MINUTE  # for single objects that could not be copied

log = structlog.get_logger(__name__)


class _TurnLost(Exception):
    """Another process has taken the turn: this one did not renew it in time."""


class Move(Task):
    """Copies everything, and looks again once a day for what an older process may have put."""

    name = "move"

    def __init__(
        self,
        settings: Settings,
        database: Database,
        store: MovingStore,
        *,
        wake_sweep: Callable[[], None],
    ) -> None:
        super().__init__()
        self._settings = settings
        self._database = database
        self._store = store
        self._rate = Rate(settings.move_rate)
        self._wake_sweep = wake_sweep
        self._until: int | None = None
        self._copying: Copying | None = None

    async def run_once(self, now: int) -> int:
        """Copy all that is left, if it is this process's turn; the next one is a while later."""
        self._copying = None
        self._until = await self._database.write(rows.claim, now)
        if self._until is None:
            return 0
        try:
            done = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_turn(done))
                left = await self._copy_all()
                done.set()
        except BaseException as error:
            await self._hand_on(clock.now())
            if isinstance(error, ExceptionGroup):
                raise _first(error) from None
            raise
        await self._hand_on(clock.now() + (_RETRY if left.failed else rows.LONGEST_PAUSE))
        return 0

    async def next_due(self, now: int) -> int | None:
        moment = await self._database.read(rows.next_turn)
        return now if moment is None else moment

    async def _copy_all(self) -> Progress:
        async with remaining(self._database, self._store) as found:
            cut_off = {info.key async for info in self._store.new.unfinished()}
            copying = self._copying = Copying(
                self._database,
                self._store,
                self._rate,
                left=await found.count(),
                cut_off=cut_off,
                wake_sweep=self._wake_sweep,
            )
            async for batch in found.batches():
                await copying.run(batch)
        copying.left = copying.failed
        if not copying.failed.objects and await marks.finish(
            self._settings, self._database, self._store
        ):
            log.info("all objects are in the new store; see `holdall moved`")
        return copying.failed

    async def _keep_turn(self, done: asyncio.Event) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_RENEWAL):
                    await done.wait()
                    return
            await self._hand_on(clock.now() + rows.LEASE)
            if self._until is None:
                raise _TurnLost

    async def _hand_on(self, next_at: int) -> None:
        """Note how far it has come, and until when it is nobody else's turn."""
        if self._until is not None:
            left = None if self._copying is None else self._copying.left
            self._until = await self._database.write(rows.hand_on, self._until, next_at, left)


def _first(error: Exception) -> Exception:
    """Return what went wrong first; what else did, went with it."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
