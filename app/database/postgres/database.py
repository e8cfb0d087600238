"""PostgreSQL over asyncpg: the waiting writes of one account share a transaction."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, Final

import asyncpg
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError
from sqlalchemy.util import await_only

from app import metrics
from app.database.base import Database, DatabaseUnavailable, P, Query, T
from app.database.jobs import Job, fail, in_time
from app.database.patience import Wait
from app.database.postgres.connections import Connections, Lent, driver_of
from app.database.postgres.errors import is_conflict, is_disconnect, is_outage, translated
from app.database.statements import Compiled, Result, Statement, runners

GROUP: Final = 64  # writes that may share a commit
ATTEMPTS: Final = 3
_TURN_WAIT: Final = metrics.database_wait.labels("turn")
MAINTENANCE: Final = 60.0
"""Seconds that work outside any request waits at most."""

_Run = Callable[[Connection, list[Job]], None]


class PostgresDatabase(Database):
    """A database that any number of processes may share."""

    def __init__(self, dsn: str, connections: int | None = None) -> None:
        super().__init__()
        self._connections = Connections(dsn, connections)
        self._waiting: dict[str, deque[Job]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    async def read(self, fn: Query[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._lent(lambda lent: lent.connection.run_sync(fn, *args, **kwargs))

    async def fetch(self, statement: Statement, /, **values: object) -> Result:
        """Run one statement, by the driver itself."""

        async def run(lent: Lent) -> Result:
            compiled, parameters = statement.bound(lent.connection.dialect, values)
            return _result(compiled, await lent.driver.fetch(compiled.sql, *parameters))

        return await self._lent(run)

    async def _lent(self, run: Callable[[Lent], Awaitable[T]]) -> T:
        """Run what only reads over a connection, over another if that one is lost."""
        with Wait() as wait:
            until = _end_of(wait)
            for attempt in range(1, ATTEMPTS + 1):
                try:
                    async with self._connections.lend(until) as lent:
                        return await run(lent)
                except Exception as error:
                    known = translated(error)
                    if known is error:
                        raise
                    if attempt == ATTEMPTS or not is_disconnect(error) or time.monotonic() >= until:
                        raise known from error
                    # a connection that died while idle is found out by its next user
                    await self._connections.forget_idle()
        raise AssertionError("unreachable")

    async def write_in_turn(
        self, turn: str | None, fn: Query[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        if self._closed:
            raise DatabaseUnavailable("the database is closed")
        with Wait() as wait:
            job = Job(lambda connection: fn(connection, *args, **kwargs), _end_of(wait))
            if turn is None:
                self._start(self._finish([job]))
            elif (waiting := self._waiting.get(turn)) is not None:
                waiting.append(job)
            else:
                self._waiting[turn] = deque([job])
                self._start(self._take_turns(turn))
            result: T = await job.answered()
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
            await self._finish([waiting.popleft() for _ in range(min(GROUP, len(waiting)))])
        del self._waiting[turn]

    async def _finish(self, group: list[Job]) -> None:
        """Commit the jobs of a group that have not timed out, then answer all."""
        now = time.monotonic()
        metrics.commit_writes.observe(len(group))
        for job in group:
            _TURN_WAIT.observe(now - job.asked)
        if waiting := in_time(group):
            await self._commit(waiting)
        for job in group:
            job.answer(translated, self.on_notice)

    async def _commit(self, group: list[Job]) -> None:
        """Commit a group.

        It is tried without savepoints, which cost two round trips each; when a job fails, with
        them; and when the transaction conflicts with another, job by job. Without a server all fail
        at once.
        """
        error = await self._transact(group, _run_bare)
        if error is not None and len(group) > 1 and not is_outage(error):
            error = await self._transact(group, _run_guarded)
            if error is not None and not is_outage(error):
                for job in in_time(group):
                    await self._commit([job])
                return
        if error is not None:
            for job in group:
                job.error = error

    async def _transact(self, group: list[Job], run: _Run) -> Exception | None:
        """Run a group in one transaction, again if its connection was lost before the commit.

        Returns the error that kept it from its commit, if any.
        """
        error: Exception | None = None
        for _ in range(ATTEMPTS):
            error = await self._try(group, run)
            if error is None or all(job.is_late for job in group):
                break
            if is_disconnect(error):
                await self._connections.forget_idle()
            elif len(group) > 1 or not is_conflict(error):
                break
        return error

    async def _try(self, group: list[Job], run: _Run) -> Exception | None:
        try:
            async with self._connections.lend(max(map(_last, group))) as lent:
                try:
                    await lent.connection.run_sync(run, group)
                except BaseException:
                    await _roll_back(lent)
                    raise
                try:
                    await lent.driver.execute("COMMIT")
                except Exception as error:  # noqa: BLE001 - the waiting requests' to handle
                    unconfirmed = DatabaseUnavailable("the commit was not confirmed")
                    unconfirmed.__cause__ = error  # what it did is unknown: it is not run again
                    fail(group, unconfirmed)
        except Exception as error:  # noqa: BLE001 - the waiting requests' to handle, or tried again
            return error
        return None


def _end_of(wait: Wait) -> float:
    """Return when a wait must end; background work waits longer than a request does."""
    return time.monotonic() + MAINTENANCE if wait.until is None else wait.until


def _last(job: Job) -> float:
    assert job.until is not None
    return job.until


def _run_bare(connection: Connection, group: list[Job]) -> None:
    """Run the jobs without savepoints: if one fails, all do."""
    await_only(driver_of(connection).execute("BEGIN"))
    for job in group:
        job.attempt(connection)
        if job.error is not None:
            raise job.error


def _run_guarded(connection: Connection, group: list[Job]) -> None:
    """Run the jobs, each in a savepoint of its own."""
    driver = driver_of(connection)
    await_only(driver.execute("BEGIN"))
    for job in group:
        await_only(driver.execute("SAVEPOINT job"))
        job.attempt(connection)
        if job.error is not None:
            await_only(driver.execute("ROLLBACK TO SAVEPOINT job"))
        await_only(driver.execute("RELEASE SAVEPOINT job"))


async def _roll_back(lent: Lent) -> None:
    # one that can't roll back is closed when it is put back, and then the server does it
    with suppress(Exception):
        await lent.driver.execute("ROLLBACK")


def _run_statement(
    connection: Connection, compiled: Compiled, parameters: tuple[object, ...]
) -> Result:
    driver = driver_of(connection)
    try:
        if compiled.row is None:
            status: str = await_only(driver.execute(compiled.sql, *parameters))
            return Result([], int(status.rpartition(" ")[2]))
        records = await_only(driver.fetch(compiled.sql, *parameters))
    except asyncpg.IntegrityConstraintViolationError as error:
        raise IntegrityError(compiled.sql, None, error) from error
    return _result(compiled, records)


def _result(compiled: Compiled, records: Sequence[Any]) -> Result:
    assert compiled.row is not None
    return Result([compiled.row(record) for record in records], len(records))


runners["postgresql"] = _run_statement
