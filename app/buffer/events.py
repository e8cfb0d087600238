"""Changes of buffers as they happen: hints come over the bus, the truth from the database."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Final

import structlog

from app import clock
from app.accounts.identity import Access
from app.buffer import rows
from app.buffer.entities import Revision
from app.database import DatabaseUnavailable
from app.errors import Forbidden, TooManyRequests, Unauthorized
from app.events.bus import Bus

CHECK_INTERVAL: Final = 15.0
"""Seconds after which a listener's session and buffer are checked without a hint."""

PER_ACCOUNT: Final = 32
"""Listeners that an account may have in one process."""

_TIMER_ERROR: Final = 0.002  # seconds that a timer may be early by

log = structlog.get_logger(__name__)


class BufferEvents:
    """Streams of changes, one for each listener."""

    def __init__(
        self, bus: Bus, *, interval: float = CHECK_INTERVAL, per_account: int = PER_ACCOUNT
    ) -> None:
        self._bus = bus
        self._interval = interval
        self._per_account = per_account
        self._listeners: Counter[str] = Counter()

    @property
    def listeners(self) -> int:
        """The number of listeners in this process."""
        return self._listeners.total()

    async def announce(self, revision: Revision) -> None:
        """Announce a change that has been committed."""
        await self._bus.publish(_topic(revision.account), str(revision.version))

    @asynccontextmanager
    async def listen(self, access: Access) -> AsyncIterator[AsyncIterator[Revision | None]]:
        """Yield the current revision, then newer ones: of several in a row perhaps only the last.

        None means that a check found nothing new. The iterator ends when the credential is no
        longer valid. Raises `TooManyRequests`, and what a request with this credential would.
        """
        account = (await access.read(rows.revision, clock.now())).account
        if self._listeners[account] >= self._per_account:
            raise TooManyRequests(
                int(self._interval), f"An account may have {self._per_account} streams at a time"
            )
        self._listeners[account] += 1
        try:
            async with (
                self._bus.subscribe(_topic(account)) as hints,
                aclosing(self._revisions(access, hints)) as revisions,
            ):
                yield revisions
        finally:
            self._listeners[account] -= 1
            if not self._listeners[account]:
                del self._listeners[account]

    async def _revisions(
        self, access: Access, hints: AsyncIterator[str]
    ) -> AsyncGenerator[Revision | None, None]:
        seen, wait = -1, 0.0
        while True:
            try:
                revision = await access.read(rows.revision, clock.now())
            except (Unauthorized, Forbidden):
                return
            except DatabaseUnavailable as error:
                log.warning("a listener's session could not be checked", error=repr(error))
                wait = self._interval
                yield None
            else:
                is_new = revision.version > seen
                seen = max(seen, revision.version)
                wait = self._until_next_check(revision)
                yield revision if is_new else None
            await _hinted(hints, seen, wait)

    def _until_next_check(self, revision: Revision) -> float:
        """Return the seconds until the next check without a hint."""
        if revision.expires_at is None:
            return self._interval
        left = (revision.expires_at - clock.now()) / clock.SECOND
        return min(self._interval, max(0.0, left) + _TIMER_ERROR)


async def _hinted(hints: AsyncIterator[str], seen: int, seconds: float) -> None:
    """Wait for a hint of a version after ``seen``, for up to ``seconds``."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            async for hint in hints:
                if not (hint.isdecimal() and int(hint) <= seen):
                    return


def _topic(account: str) -> str:
    return f"buffer:{account}"
