"""Changes of buffers as they happen, see `app.changes`."""

from app.buffer import rows
from app.buffer.entities import Revision
from app.bus.local import Bus
from app.changes import CHECK_INTERVAL, PER_ACCOUNT, Changes
from app.permits import Permits


class BufferEvents(Changes[Revision]):
    """Streams of the revisions of an account's buffer."""

    def __init__(
        self,
        bus: Bus,
        permits: Permits,
        *,
        interval: float = CHECK_INTERVAL,
        per_account: int = PER_ACCOUNT,
    ) -> None:
        super().__init__(
            bus, permits, "buffer", rows.revision, interval=interval, per_account=per_account
        )
