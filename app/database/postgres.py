"""PostgreSQL over asyncpg: one transaction for the writes that an account has waiting."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import asyncpg
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.util import await_only

from app.database.base import Database, DatabaseFull, DatabaseUnavailable, P, Query, T
from app.database.statements import Compiled, Result, runners

GROUP: Final = 64  # writes that may share a commit
CONNECTIONS: Final = 10
PATIENCE: Final = 10.0  # seconds to wait for a free connection
ATTEMPTS: Final = 3
_LOST: Final = {"40001", "40P01"}  # serialization failure, deadlock: nothing was done, try again
_FULL: Final = {"53100"}
_UNAVAILABLE: Final = {"08", "53", "57"}  # SQLSTATE classes: connection, resources, operator
# the second is what the driver makes of a connection that is lost between two messages
_DISCONNECTED: Final = (asyncpg.InterfaceError, asyncpg.InternalClientError, ConnectionError)


def create_postgres_engine(dsn: str) -> AsyncEngine:
    """Make an engine whose connections begin transactions only when told to.

    The driver reads the URL, as it does for the store: parameters are libpq's (``sslmode``).
    """

    async def connect() -> "asyncpg.Connection[Any]":
        return await asyncpg.connect(dsn, timeout=5, command_timeout=60)

    return create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connect,
        isolation_level="AUTOCOMMIT",
        hide_parameters=True,  # an error in the log shows no hashes and addresses
        poolclass=NullPool,
    )


class _Job:
    """A function to run, and the future of the one who waits for it."""

    __slots__ = ("error", "future", "result", "run")

    def __init__(self, run: Callable[[Connection], Any]) -> None:
        self.run = run
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.result: object = None
        self.error: Exception | None = None

    def attempt(self, connection: Connection) -> None:
        self.result, self.error = None, None
        try:
            self.result = self.run(connection)
        except Exception as error:  # noqa: BLE001 - it is the waiting request's to handle
            self.error = error

    def answer(self) -> None:
        if self.future.done():  # the caller is gone
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(_translated(self.error))


class _Connections:
    """Connections kept open and lent one by one.

    SQLAlchemy's pool takes longer over lending a connection than PostgreSQL takes over a query.
    """

    def __init__(self, dsn: str) -> None:
        self._engine = create_postgres_engine(dsn)
        self._slots = asyncio.Semaphore(CONNECTIONS)
        self._idle: list[AsyncConnection] = []

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection outside any transaction; one that broke meanwhile is closed."""
        if self._slots.locked():
            async with asyncio.timeout(PATIENCE):
                await self._slots.acquire()
        else:
            await self._slots.acquire()
        try:
            connection = await self._take()
            try:
                yield connection
            finally:
                await self._put_back(connection)
        finally:
            self._slots.release()

    async def _take(self) -> AsyncConnection:
        while self._idle:
            connection = self._idle.pop()
            if not _is_broken(connection):
                return connection
            await _close(connection)
        return await self._engine.connect()

    async def _put_back(self, connection: AsyncConnection) -> None:
        if (
            not _is_broken(connection)
            and not _driver(connection.sync_connection).is_in_transaction()
        ):
            self._idle.append(connection)
        else:
            await _close(connection)

    async def aclose(self) -> None:
        while self._idle:
            await _close(self._idle.pop())
        await self._engine.dispose()


class PostgresDatabase(Database):
    """A database that any number of processes share."""

    def __init__(self, dsn: str) -> None:
        self._connections = _Connections(dsn)
        self._waiting: dict[str, deque[_Job]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    async def read(self, fn: Query[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with self._connections.lend() as connection:
                    return await connection.run_sync(fn, *args, **kwargs)
            except Exception as error:
                # a connection that died while idle is found out by its next user
                translated = _translated(error)
                if translated is error:
                    raise
                if attempt == ATTEMPTS or not _is_disconnect(error):
                    raise translated from error
        raise AssertionError("unreachable")

    async def write_in_turn(
        self, turn: str | None, fn: Query[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        if self._closed:
            raise DatabaseUnavailable("the database is closed")
        job = _Job(lambda connection: fn(connection, *args, **kwargs))
        if turn is None:
            self._start(self._commit([job]))
        elif (waiting := self._waiting.get(turn)) is not None:
            waiting.append(job)
        else:
            self._waiting[turn] = deque([job])
            self._start(self._take_turns(turn))
        result: T = await job.future
        return result

    async def aclose(self) -> None:
        self._closed = True
        while self._tasks:
            await asyncio.wait(self._tasks)
        await self._connections.aclose()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _take_turns(self, turn: str) -> None:
        waiting = self._waiting[turn]
        while waiting:
            await self._commit([waiting.popleft() for _ in range(min(GROUP, len(waiting)))])
        del self._waiting[turn]

    async def _commit(self, group: list[_Job]) -> None:
        """Commit a group; then answer those who wait.

        At first without savepoints, which cost two round trips each; when one fails, again with
        them; when the transaction itself is lost, each alone.
        """
        done = len(group) > 1 and (
            await self._transact(group, _run_bare) or await self._transact(group, _run_guarded)
        )
        if not done:
            for job in group:
                await self._commit_alone(job)
        for job in group:
            job.answer()

    async def _commit_alone(self, job: _Job) -> None:
        for _ in range(ATTEMPTS):
            if await self._transact([job], _run_bare):
                return
            assert job.error is not None
            if _sqlstate(job.error) not in _LOST and not _is_disconnect(job.error):
                return

    async def _transact(
        self, group: list[_Job], run: Callable[[Connection, list[_Job]], None]
    ) -> bool:
        """Run a group in one transaction; returns whether it came to its commit.

        What a failing commit did is unknown, so nothing is run again after one.
        """
        try:
            async with self._connections.lend() as connection:
                try:
                    await connection.run_sync(run, group)
                except BaseException:
                    await _roll_back(connection)
                    raise
                try:
                    await _driver(connection.sync_connection).execute("COMMIT")
                except Exception as error:  # noqa: BLE001 - the waiting requests' to handle
                    _fail_all(group, error)
        except Exception as error:  # noqa: BLE001 - the waiting requests' to handle, or tried again
            group[0].error = error
            return False
        return True


def _run_bare(connection: Connection, group: list[_Job]) -> None:
    """Run the jobs; the first that fails fails all."""
    await_only(_driver(connection).execute("BEGIN"))
    for job in group:
        job.attempt(connection)
        if job.error is not None:
            raise job.error


def _run_guarded(connection: Connection, group: list[_Job]) -> None:
    """Run the jobs, each in its savepoint."""
    driver = _driver(connection)
    await_only(driver.execute("BEGIN"))
    for job in group:
        await_only(driver.execute("SAVEPOINT job"))
        job.attempt(connection)
        if job.error is not None:
            await_only(driver.execute("ROLLBACK TO SAVEPOINT job"))
        await_only(driver.execute("RELEASE SAVEPOINT job"))


async def _roll_back(connection: AsyncConnection) -> None:
    # one that can't roll back is closed when it is put back, and then the server does it
    with suppress(Exception):
        await _driver(connection.sync_connection).execute("ROLLBACK")


def _fail_all(group: list[_Job], error: Exception) -> None:
    for job in group:
        if job.error is None:
            job.error = DatabaseUnavailable("the commit was not confirmed")
            job.error.__cause__ = error


def _driver(connection: Connection | None) -> "asyncpg.Connection[Any]":
    assert connection is not None
    return connection.connection.driver_connection


def _is_broken(connection: AsyncConnection) -> bool:
    return connection.closed or connection.invalidated or _driver(
        connection.sync_connection
    ).is_closed()  # fmt: skip


async def _close(connection: AsyncConnection) -> None:
    with suppress(Exception):  # it is of no use any more, whatever is wrong with it
        await connection.close()


def _sqlstate(error: BaseException) -> str:
    original = error.orig if isinstance(error, DBAPIError) else error
    return getattr(original, "sqlstate", None) or ""


def _is_disconnect(error: BaseException) -> bool:
    original = error.__cause__ if isinstance(error, DBAPIError) else error
    return (
        (isinstance(error, DBAPIError) and error.connection_invalidated)
        or isinstance(original, _DISCONNECTED)
        or _sqlstate(error)[:2] in {"08", "57"}
    )


def _translated(error: Exception) -> Exception:
    state = _sqlstate(error)
    translated: Exception
    if state in _FULL:
        translated = DatabaseFull("the database's disk is full")
    elif (
        isinstance(error, OSError | TimeoutError)
        or _is_disconnect(error)
        or state[:2] in _UNAVAILABLE
        or state in _LOST
    ):
        translated = DatabaseUnavailable(f"PostgreSQL does not serve: {error}")
    else:
        return error
    translated.__cause__ = error
    return translated


def _run_statement(
    connection: Connection, compiled: Compiled, parameters: tuple[object, ...]
) -> Result:
    driver = _driver(connection)
    try:
        if compiled.row is None:
            status: str = await_only(driver.execute(compiled.sql, *parameters))
            return Result([], int(status.rpartition(" ")[2]))
        records = await_only(driver.fetch(compiled.sql, *parameters))
    except asyncpg.IntegrityConstraintViolationError as error:
        raise IntegrityError(compiled.sql, None, error) from error
    return Result([compiled.row(record) for record in records], len(records))


runners["postgresql"] = _run_statement
