"""The appends to unfinished objects that are under way in this process.

Of several that append to one object, the newest goes on: it stops those before it in this process,
whose bytes are kept; in another process, these find at their next commit that the key isn't theirs
any more.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog

from app import clock
from app.errors import LeaseLost, Locked
from app.objects import segments
from app.objects.digests import NONE, Digests
from app.objects.intake.append import Append, Commit, Resources
from app.objects.segments import Unfinished

_PATIENCE: Final = 10.0  # seconds for one that was stopped to end

log = structlog.get_logger(__name__)


class Appends:
    """Receives bodies that are appended to unfinished objects."""

    def __init__(self, resources: Resources) -> None:
        self.resources = resources
        self._running: dict[int, Append] = {}  # the newest of each object
        self._stopped: Exception | None = None
        self._open = 0
        self._idle = asyncio.Event()
        self._idle.set()

    @asynccontextmanager
    async def append(
        self, held: Unfinished, kind: str, commit: Commit, announced: Digests = NONE
    ) -> AsyncIterator[Append]:
        """Append to an object that the caller has just taken over.

        Digests may have been ``announced`` of the whole. What has not been committed within the
        context is given up.
        """
        object_id = held.reservation.object_id
        append = Append(self.resources, held, kind, commit, announced)
        if self._stopped is not None:
            append.stop(self._stopped)
        self._running[object_id] = append
        self._open += 1
        self._idle.clear()
        try:
            yield append
        finally:
            await self._end(append)
            if self._running.get(object_id) is append:
                del self._running[object_id]
            append.ended.set()
            self._open -= 1
            if not self._open:
                self._idle.set()

    async def stop(self, object_id: int) -> bool:
        """Stop whoever appends to an object in this process, and wait until its bytes are kept.

        Returns whether there was somebody. Raises `Locked` if all of them have arrived, and the
        object is being finished.
        """
        append = self._running.get(object_id)
        if append is None:
            return False
        append.stop(LeaseLost("Another request has gone on with this upload"))
        try:
            async with asyncio.timeout(_PATIENCE):
                await append.ended.wait()
        except TimeoutError:  # who doesn't end can't commit once somebody has taken over
            if append.is_finishing:
                raise Locked from None
        return True

    def stop_all(self, reason: Exception) -> None:
        """Stop all appends, whose bytes are kept; for a process that is to end."""
        self._stopped = reason
        for append in self._running.values():
            append.stop(reason)

    async def aclose(self) -> None:
        """Wait until the appends in progress, which have been cancelled, have cleaned up."""
        await self._idle.wait()

    async def _end(self, append: Append) -> None:
        """Give up what an append has not committed."""
        if append.is_committed:
            return
        try:
            await self.resources.database.write(segments.let_go, append.held, clock.now())
        except Exception:
            # whoever appends next buries the key, or the removal of the object does
            log.exception("could not give up a segment at once", key=append.held.reservation.key)
        self.resources.on_give_up()
