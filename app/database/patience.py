"""The limit to how long one request waits for the database in all.

Work outside any request has no such limit.
"""

import time
from contextvars import ContextVar, Token
from typing import Final

from app.database.base import DatabaseUnavailable

LIMIT: Final = 10.0
"""Seconds that a request waits at most."""

_GIVEN_BACK: Final = 0.1


class Patience:
    """The rest of one request's limit; the request runs within this context.

    A tenth of the time that it spends otherwise, as on sending a body, is given back: a request
    of hours must not fail by the sum of its short waits.
    """

    __slots__ = ("_at", "_left", "_token")

    def __init__(self) -> None:
        self._left = LIMIT
        self._at = time.monotonic()
        self._token: Token[Patience | None] | None = None

    def __enter__(self) -> None:
        self._token = _current.set(self)

    def __exit__(self, *_: object) -> None:
        assert self._token is not None
        _current.reset(self._token)

    def left(self, now: float) -> float:
        """Return the seconds that are left."""
        return min(LIMIT, self._left + max(0.0, now - self._at) * _GIVEN_BACK)

    def spend(self, begun: float, ended: float) -> None:
        """Take off a wait that has ended."""
        self._left = self.left(begun) - (ended - begun)
        self._at = ended


_current: ContextVar[Patience | None] = ContextVar("patience", default=None)


class Wait:
    """A wait for the database, which counts against the limit of the running request.

    ``until`` is when it must end, by `time.monotonic`, which is the loop's time too; None: never.
    Entering raises `DatabaseUnavailable` when the request has used up its limit.
    """

    __slots__ = ("_begun", "_patience", "until")

    def __enter__(self) -> "Wait":
        self._patience = _current.get()
        self._begun = time.monotonic()
        self.until: float | None = None
        if self._patience is not None:
            left = self._patience.left(self._begun)
            if left <= 0:
                raise too_late()
            self.until = self._begun + left
        return self

    def __exit__(self, *_: object) -> None:
        if self._patience is not None:
            self._patience.spend(self._begun, time.monotonic())


def too_late() -> DatabaseUnavailable:
    """Return the error of a request that has used up its limit."""
    return DatabaseUnavailable("the database did not answer in time")
