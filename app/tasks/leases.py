"""Leases of uploads: renewed while they run, and left alone while the clock can't be trusted."""

from typing import Final

import structlog

from app import clock
from app.objects.uploads import Uploads
from app.tasks.supervisor import Task

TOLERANCE: Final = 30 * clock.SECOND
"""What the clock may go ahead between two looks: less than a lease has left at any time."""

log = structlog.get_logger(__name__)


class RenewLeases(Task):
    """Keeps the pending objects of slow uploads from being taken for dead ones."""

    name = "leases"
    interval = 60.0

    def __init__(self, uploads: Uploads) -> None:
        super().__init__()
        self._uploads = uploads

    async def run_once(self, now: int) -> int:
        await self._uploads.renew_leases(now)
        return 0


SETTLING: Final = int(2 * RenewLeases.interval) * clock.SECOND
"""How long after a jump of the clock whoever holds a lease has renewed it."""


class ClockJumps:
    """Notices when the clock has jumped ahead, as after a suspension: leases look ended then."""

    def __init__(self) -> None:
        self._ahead = _ahead()
        self._settled_at = 0

    def left(self) -> int:
        """Return how long leases are still to be left alone, in microseconds; 0: not at all."""
        ahead = _ahead()
        if ahead - self._ahead > TOLERANCE:
            seconds = (ahead - self._ahead) // clock.SECOND
            log.warning("the clock has jumped; no upload's lease ends for now", seconds=seconds)
            self._settled_at = clock.monotonic() + SETTLING
        self._ahead = ahead
        return max(0, self._settled_at - clock.monotonic())


def _ahead() -> int:
    return clock.now() - clock.monotonic()
