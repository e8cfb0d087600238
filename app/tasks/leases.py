"""Leases of uploads: renewed while these run, and not ended after a jump of the clock."""

from typing import Final

import structlog

from app import clock
from app.objects.uploads import Uploads
from app.tasks.supervisor import Task

TOLERANCE: Final = 30 * clock.SECOND
"""A jump that is tolerated: less than what any running upload's lease has left."""

log = structlog.get_logger(__name__)


class RenewLeases(Task):
    """Renews the leases of the uploads that run in this process."""

    name = "leases"
    is_of_process = True
    interval = 60.0

    def __init__(self, uploads: Uploads) -> None:
        super().__init__()
        self._uploads = uploads

    async def run_once(self, now: int) -> int:
        await self._uploads.renew_leases(now)
        return 0


SETTLING: Final = int(2 * RenewLeases.interval) * clock.SECOND
"""How long after a jump all leases of running uploads have been renewed."""


class ClockJumps:
    """Notices jumps of the clock, as after a suspension, by which leases seem to have ended."""

    def __init__(self) -> None:
        self._ahead = _ahead()
        self._settled_at = 0

    def left(self) -> int:
        """Return for how many microseconds no lease must be ended; 0 as a rule."""
        ahead = _ahead()
        if ahead - self._ahead > TOLERANCE:
            seconds = (ahead - self._ahead) // clock.SECOND
            log.warning("the clock has jumped; no upload's lease ends for now", seconds=seconds)
            self._settled_at = clock.monotonic() + SETTLING
        self._ahead = ahead
        return max(0, self._settled_at - clock.monotonic())


def _ahead() -> int:
    return clock.now() - clock.monotonic()
