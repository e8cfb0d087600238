"""PostgreSQL over asyncpg: one transaction for the writes that an account has waiting."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from app.database.base import Database, DatabaseFull, DatabaseUnavailable, P, Query, T

GROUP = 64  # writes that may share a commit
CONNECTIONS = 10  # of each pool: readers and writers have their own
ATTEMPTS = 3
_LOST = {"40001", "40P01"}  # serialization failure, deadlock: nothing was done, try again
_FULL = {"53100"}
_UNAVAILABLE = {"08", "53", "57"}  # SQLSTATE classes: connection, resources, operator intervention


def create_postgres_engine(dsn: str, *, autocommit: bool = False) -> AsyncEngine:
    """Make an engine; with ``autocommit`` each statement is its own transaction (for reads)."""
    options: dict[str, Any] = {}
    if autocommit:
        options = {"isolation_level": "AUTOCOMMIT", "pool_reset_on_return": None}
    return create_async_engine(
        "postgresql+asyncpg" + dsn.removeprefix("postgresql"),
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_timeout=10,
        connect_args={"timeout": 5, "command_timeout": 60},
        **options,
    )


class _Job:
    """A function to run, and the future of the one who waits for it."""

    __slots__ = ("error", "future", "result", "run")

    def __init__(self, run: Callable[[Connection], Any]) -> None:
        self.run = run
        self.future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.result: object = None
        self.error: BaseException | None = None

    def answer(self) -> None:
        if self.future.done():  # the caller is gone
            return
        if self.error is None:
            self.future.set_result(self.result)
        else:
            self.future.set_exception(_translated(self.error))


class PostgresDatabase(Database):
    """A database that any number of processes share."""

    def __init__(self, dsn: str) -> None:
        self._readers = create_postgres_engine(dsn, autocommit=True)
        self._writers = create_postgres_engine(dsn)
        self._waiting: dict[str, deque[_Job]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    async def read(self, fn: Query[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with self._readers.connect() as connection:
                    return await connection.run_sync(fn, *args, **kwargs)
            except (DBAPIError, OSError, PoolTimeout) as error:
                # a connection that died while idle is found out by its next user
                if attempt == ATTEMPTS or not _is_disconnect(error):
                    raise _translated(error) from error
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
        await self._readers.dispose()
        await self._writers.dispose()

    def _start(self, work: Any) -> None:  # noqa: ANN401 - a coroutine
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _take_turns(self, turn: str) -> None:
        waiting = self._waiting[turn]
        while waiting:
            group = [waiting.popleft() for _ in range(min(GROUP, len(waiting)))]
            await self._commit(group)
        del self._waiting[turn]

    async def _commit(self, group: list[_Job]) -> None:
        """Run a group in one transaction, else each alone; then answer those who wait."""
        if len(group) == 1 or not await self._commit_together(group):
            for job in group:
                await self._commit_alone(job)
        for job in group:
            job.answer()

    async def _commit_together(self, group: list[_Job]) -> bool:
        def run_all(connection: Connection) -> None:
            for job in group:
                job.error = None
                job.result = job.run(connection)

        try:
            async with self._writers.connect() as connection:
                await connection.run_sync(run_all)
                return await _finish(connection, group)
        except Exception:  # noqa: BLE001 - each is run again alone, and reports its own
            return False

    async def _commit_alone(self, job: _Job) -> None:
        for _ in range(ATTEMPTS):
            job.result, job.error = None, None
            try:
                async with self._writers.connect() as connection:
                    job.result = await connection.run_sync(job.run)
                    await _finish(connection, [job])
                    return
            except Exception as error:  # noqa: BLE001 - it is the waiting request's to handle
                job.error = error
                if _sqlstate(error) not in _LOST and not _is_disconnect(error):
                    return


async def _finish(connection: AsyncConnection, group: list[_Job]) -> bool:
    """Commit. What a failing commit did is unknown, so nothing is run again after one."""
    try:
        await connection.commit()
    except Exception as error:  # noqa: BLE001 - it is the waiting requests' to handle
        for job in group:
            job.error = DatabaseUnavailable("the commit was not confirmed")
            job.error.__cause__ = error
    return True


def _sqlstate(error: BaseException | None) -> str:
    return getattr(getattr(error, "orig", None), "sqlstate", None) or ""


def _is_disconnect(error: BaseException) -> bool:
    return isinstance(error, DBAPIError) and error.connection_invalidated


def _translated(error: BaseException) -> BaseException:
    state = _sqlstate(error)
    translated: Exception
    if state in _FULL:
        translated = DatabaseFull("the database's disk is full")
    elif (
        isinstance(error, OSError | PoolTimeout | TimeoutError | InterfaceError)
        or _is_disconnect(error)
        or state[:2] in _UNAVAILABLE
        or state in _LOST
    ):
        translated = DatabaseUnavailable("the database does not answer")
    else:
        return error
    translated.__cause__ = error
    return translated
