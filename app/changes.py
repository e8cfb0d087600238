"""Changes of an account as they happen: hints come over the bus, the truth from the database."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager, suppress
from typing import Final, Generic, Protocol, TypeVar

import structlog
from sqlalchemy import Connection

from app import clock
from app.accounts.identity import Access, Identity
from app.bus.local import Bus
from app.database import DatabaseUnavailable
from app.errors import Forbidden, TooManyRequests, Unauthorized
from app.permits import Permits

CHECK_INTERVAL: Final = 15.0
"""Seconds after which a listener's session and what it listens to are checked without a hint."""

PER_ACCOUNT: Final = 32
"""Listeners that an account may have, among all workers."""

_TIMER_ERROR: Final = 0.002  # seconds that a timer may be early by

log = structlog.get_logger(__name__)


class State(Protocol):
    """A state of what changes; times in UTC microseconds."""

    @property
    def account(self) -> str:
        """What topics call the account."""

    @property
    def version(self) -> int | str:
        """Which no other state has; a number only grows."""

    @property
    def expires_at(self) -> int | None:
        """When it changes by itself, if it does."""


S = TypeVar("S", bound=State)


class Changes(Generic[S]):
    """Streams of changes, one for each listener."""

    def __init__(
        self,
        bus: Bus,
        permits: Permits,
        name: str,
        read: Callable[[Connection, Identity, int], S],
        *,
        interval: float = CHECK_INTERVAL,
        per_account: int = PER_ACCOUNT,
    ) -> None:
        """``read`` returns the state at a moment; ``name`` tells its hints from others."""
        self._bus = bus
        self._permits = permits
        self._name = name
        self._read = read
        self._interval = interval
        self._per_account = per_account
        self.listeners = 0
        """The number of listeners in this process."""

    async def announce(self, account: str, version: int | str) -> None:
        """Announce a change of an account that has been committed."""
        await self._bus.publish(self._topic(account), str(version))

    @asynccontextmanager
    async def listen(self, access: Access) -> AsyncIterator[AsyncIterator[S | None]]:
        """Yield the current state, then newer ones: of several in a row perhaps only the last.

        None means that a check found nothing new. The iterator ends when the credential is no
        longer valid. Raises `TooManyRequests`, and what a request with this credential would.
        """
        account = (await access.read(self._read, clock.now())).account
        permit = f"listeners of {self._topic(account)}"
        if not await self._permits.try_acquire(permit, self._per_account):
            raise TooManyRequests(
                int(self._interval), f"An account may have {self._per_account} streams at a time"
            )
        self.listeners += 1
        try:
            async with (
                self._bus.subscribe(self._topic(account)) as hints,
                aclosing(self._states(access, hints)) as states,
            ):
                yield states
        finally:
            self.listeners -= 1
            self._permits.release(permit)

    async def _states(
        self, access: Access, hints: AsyncIterator[str]
    ) -> AsyncGenerator[S | None, None]:
        seen: int | str | None = None
        wait = 0.0
        while True:
            try:
                state = await access.read(self._read, clock.now())
            except (Unauthorized, Forbidden):
                return
            except DatabaseUnavailable as error:
                log.warning("a listener's session could not be checked", error=repr(error))
                wait = self._interval
                yield None
            else:
                is_new = _is_newer(state.version, seen)
                seen = state.version if is_new else seen
                wait = self._until_next_check(state)
                yield state if is_new else None
            await _hinted(hints, seen, wait)

    def _until_next_check(self, state: S) -> float:
        """Return the seconds until the next check without a hint."""
        if state.expires_at is None:
            return self._interval
        left = (state.expires_at - clock.now()) / clock.SECOND
        return min(self._interval, max(0.0, left) + _TIMER_ERROR)

    def _topic(self, account: str) -> str:
        return f"{self._name}:{account}"


def _is_newer(version: int | str, seen: int | str | None) -> bool:
    if isinstance(version, int) and isinstance(seen, int):
        return version > seen
    return version != seen


async def _hinted(hints: AsyncIterator[str], seen: int | str | None, seconds: float) -> None:
    """Wait for a hint of another version than ``seen``, for up to ``seconds``."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            async for hint in hints:
                is_old = isinstance(seen, int) and hint.isdecimal() and int(hint) <= seen
                if not is_old:
                    return
