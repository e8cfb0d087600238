"""The interface of a database: two verbs over plain synchronous functions."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from app.database.notices import Listener
from app.database.statements import Result, Statement

P = ParamSpec("P")
T = TypeVar("T")
Query = Callable[Concatenate[Connection, P], T]


class DatabaseFull(Exception):
    """The database's disk is full."""


class DatabaseUnavailable(Exception):
    """The database does not answer in time."""


class Database(ABC):
    """Runs functions ``fn(connection, *args)`` in transactions of their own.

    A function does SQL only, returns plain values, and is safe to run again: it is run once more
    when its transaction was lost through no fault of its own. So it reads no clock and draws no
    random numbers that matter: such values are its arguments.
    """

    def __init__(self) -> None:
        self.on_notice: Listener = lambda _: None
        """Is told, on the loop, what committed transactions have to tell (`notify`)."""

    @abstractmethod
    async def read(self, fn: Query[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function that only reads."""

    async def fetch(self, statement: Statement, /, **values: object) -> Result:
        """Run one statement that only reads; it costs less than `read` does."""
        return await self.read(statement, **values)

    async def read_long(self, fn: Query[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function that reads for tens of milliseconds; no other job waits for it."""
        return await self.read(fn, *args, **kwargs)

    async def write(self, fn: Query[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a function in a transaction, and return when its commit is on stable storage.

        An exception rolls back what the function did and passes on. Once called, the write
        finishes even when the caller is cancelled.
        """
        return await self.write_in_turn(None, fn, *args, **kwargs)

    @abstractmethod
    async def write_in_turn(
        self, turn: str | None, fn: Query[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Write as `write` does; writes of one ``turn`` may share a commit.

        A turn names a lock that these writers would take in turn anyway: an account's.
        """

    async def ping(self) -> None:
        """Return when the database answers."""
        await self.read(_select_one)

    @abstractmethod
    async def aclose(self) -> None:
        """Finish the writes that have begun, then close every connection."""


def _select_one(connection: Connection) -> None:
    connection.exec_driver_sql("SELECT 1").scalar_one()
