"""Functions that wait for their turn to run over a connection."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection

from app.database.notices import NOTICES, Listener
from app.database.patience import too_late


class Job:
    """A function to run, and the future of its caller, who waits ``until`` a moment at most.

    A job that timed out is not begun; one whose caller was cancelled is.
    """

    __slots__ = (
        "alone", "asked", "error", "future", "loop", "notices", "result", "run", "until",
    )  # fmt: skip

    def __init__(
        self, run: Callable[[Connection], Any], until: float | None, *, alone: bool = False
    ) -> None:
        self.run = run
        self.until = until
        self.alone = alone
        """Whether it must not share a transaction with others."""
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self.asked = time.monotonic()
        self.result: object = None
        self.error: Exception | None = None
        self.notices: list[object] = []
        """What the function has to tell, once it has been committed."""

    @property
    def is_late(self) -> bool:
        return self.until is not None and time.monotonic() >= self.until

    async def answered(self) -> Any:  # noqa: ANN401 - whatever the function returns
        """Wait for the result; raises `DatabaseUnavailable` when it doesn't come in time."""
        if self.until is None:
            return await self.future
        timer = self.loop.call_at(self.until, self._give_up)
        try:
            return await self.future
        finally:
            timer.cancel()

    def attempt(self, connection: Connection) -> None:
        """Run the function, and keep what it returns or raises for `answer`."""
        self.result, self.error = None, too_late() if self.is_late else None
        if self.error is not None:
            return
        connection.info[NOTICES] = self.notices = []
        try:
            self.result = self.run(connection)
        except Exception as error:  # noqa: BLE001 - it is the waiting request's to handle
            self.error = error

    def answer(self, translate: Callable[[Exception], Exception], tell: Listener) -> None:
        """Pass the result, or the error as `Database` has it, to the caller.

        And what there is to tell to the database's listener.
        """
        if self.error is None:
            for notice in self.notices:
                tell(notice)
        if self.future.done():  # the caller is gone
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(translate(self.error))

    def _give_up(self) -> None:
        if not self.future.done():
            self.future.set_exception(too_late())


def in_time(group: list[Job]) -> list[Job]:
    """Return the jobs of a group that have not timed out; the others fail."""
    waiting = []
    for job in group:
        if job.is_late:
            job.error = too_late()
        else:
            waiting.append(job)
    return waiting


def fail(group: list[Job], error: Exception) -> None:
    """Fail those jobs of a group that have no error of their own."""
    for job in group:
        if job.error is None:
            job.error = error
