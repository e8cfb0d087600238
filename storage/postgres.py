"""The store in PostgreSQL: objects as rows of 1 MiB, for those who run nothing else."""

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from typing import Any, Self

import asyncpg

from storage.base import ByteRange, ObjectInfo, ObjectReader, ObjectStore, is_key
from storage.completion import run_to_end
from storage.errors import ObjectNotFound, StorageError, StoreFull, StoreUnavailable
from storage.parts import LATE, MIB, Part, Parts
from storage.postgres_hosts import Hosts
from storage.postgres_pool import CannotConnect, Pool
from storage.postgres_schema import (
    ADD_CHUNK,
    ADD_SMALL,
    CHUNK,
    COMPLETE,
    DELETE_CHUNKS,
    DELETE_OBJECTS,
    LIST,
    READ,
    STAT,
    UNFINISHED,
    create_tables,
)
from storage.readahead import WindowReader

_BUFFERED = 4 * MIB
_LIST_PAGE = 1000
_SCAN_PAGE = 10_000  # entries of an index, read in 10 ms or so
_DELETE_BATCH = 64  # chunks in a transaction, which takes 0.1 s or so
_PING_SECONDS = 5.0

# SQLSTATE classes that say something of the server, not of the statement: connection exception,
# authorization, database name, rollback, resources, intervention, system, internal.
_UNAVAILABLE_CLASSES = ("08", "28", "3D", "40", "53", "57", "58", "XX")
_READ_ONLY = "25006"  # a standby
_NO_TABLES = ("42P01", "3F000")  # somebody has dropped them


class PostgresStore(ObjectStore):
    """Keeps objects as rows of its own two tables, over its own pool of connections.

    A connection is held for one short statement at a time, never while a body or a consumer is
    waited for. A server that stops answering is given up after ``patience`` seconds.
    """

    def __init__(self, dsn: str, connections: int | None, patience: float) -> None:
        hosts = Hosts(dsn)

        async def connect() -> Any:  # noqa: ANN401 (asyncpg has no types)
            settings = {"application_name": "holdall-store"}
            return await hosts.connect(command_timeout=patience, server_settings=settings)

        self._pool: Pool[Any] = Pool(connect, lambda connection: connection, _drop, connections)
        self._patience = patience

    @classmethod
    async def connect(
        cls, dsn: str, *, connections: int | None = None, patience: float = 15.0
    ) -> Self:
        """Open up to so many connections, and create what tables are missing.

        Raises `StoreUnavailable` when the server does not answer or refuses the DSN.
        """
        store = cls(dsn, connections, patience)
        try:
            async with store._connection() as connection:
                await create_tables(connection)
        except BaseException:
            await store._pool.forget_idle()
            raise
        return store

    @property
    def late(self) -> float:
        return LATE

    async def put(
        self, key: str, body: AsyncIterable[bytes | memoryview], *, size: int | None
    ) -> None:
        if not is_key(key):
            raise ValueError(f"not a key: {key!r}")
        parts = Parts(body, size, lambda _: CHUNK)
        try:
            async with aclosing(parts):
                first = await parts.next()
                if first.is_last:
                    await run_to_end(self._add_small(key, first))
                else:
                    await self._add(key, first, parts)
        except BaseException as error:
            if isinstance(error, StoreUnavailable):
                await self._pool.forget_idle()  # where a connection was lost, others may be
            try:
                await run_to_end(self._discard(key))
            except StorageError as failure:
                error.add_note(f"chunks of it may be left behind: {failure}")
            raise

    async def _add_small(self, key: str, part: Part) -> None:
        async with self._connection() as connection:
            await connection.execute(ADD_SMALL, key, part.length, CHUNK, part.view)

    async def _add(self, key: str, first: Part, parts: Parts) -> None:
        lengths: list[int] = []

        async def send(part: Part) -> None:
            await run_to_end(self._add_chunk(key, part))
            lengths.append(part.length)

        await parts.send_all(first, send, _BUFFERED)
        await run_to_end(self._complete(key, sum(lengths), len(lengths)))

    async def _add_chunk(self, key: str, part: Part) -> None:
        async with self._connection() as connection:
            await connection.execute(ADD_CHUNK, key, part.number - 1, part.view)

    async def _complete(self, key: str, size: int, chunks: int) -> None:
        async with self._connection() as connection:
            done = await connection.execute(COMPLETE, key, size, CHUNK, chunks)
        if done != "INSERT 0 1":
            raise StoreUnavailable(f"chunks of {key} were lost")

    async def _discard(self, key: str) -> None:
        with _errors():
            async with asyncio.timeout(self._patience):
                await self.delete([key])

    @asynccontextmanager
    async def open(
        self, key: str, byte_range: ByteRange | None = None
    ) -> AsyncIterator[ObjectReader]:
        size, chunk_size, _ = await self._look_up(key)

        async def fetch(window: ByteRange) -> Sequence[bytes]:
            async with self._connection() as connection:
                rows = await connection.fetch(READ, key, window.start, window.stop, chunk_size)
            chunks = [row[0] for row in rows]
            if sum(map(len, chunks)) != window.length:
                raise ObjectNotFound(f"{key} was deleted meanwhile")
            return chunks

        async with aclosing(WindowReader(fetch, size, byte_range)) as reader:
            yield reader

    async def stat(self, key: str) -> ObjectInfo:
        size, _, created_at = await self._look_up(key)
        return ObjectInfo(key, size, created_at)

    async def _look_up(self, key: str) -> tuple[int, int, int]:
        async with self._connection() as connection:
            row = await connection.fetchrow(STAT, key)
        if row is None:
            raise ObjectNotFound(key)
        return row["size"], row["chunk_size"], row["created_at"]

    async def delete(self, keys: Sequence[str]) -> None:
        if not keys:
            return
        async with self._connection() as connection:
            await connection.execute(DELETE_OBJECTS, keys)
        deleted = _DELETE_BATCH
        while deleted == _DELETE_BATCH:
            async with self._connection() as connection:
                answer = await connection.execute(DELETE_CHUNKS, keys, _DELETE_BATCH)
            deleted = int(answer.removeprefix("DELETE "))

    async def list(self, prefix: str = "") -> AsyncIterator[ObjectInfo]:
        start, last = prefix, None
        while True:
            async with self._connection() as connection:
                rows = await connection.fetch(LIST, start, _LIST_PAGE)
            for key, size, created_at in rows:
                if not key.startswith(prefix):
                    return
                if key != last:
                    yield ObjectInfo(key, size, created_at)
            if len(rows) < _LIST_PAGE:
                return
            start = last = rows[-1]["key"]

    async def unfinished(self) -> AsyncIterator[ObjectInfo]:
        last: str | None = ""
        while last is not None:
            async with self._connection() as connection:
                row = await connection.fetchrow(UNFINISHED, last, _SCAN_PAGE)
            for key in row["keys"] or ():
                yield ObjectInfo(key, -1, 0)
            last = row["last"]

    async def ping(self) -> None:
        with _errors():
            async with (
                asyncio.timeout(min(_PING_SECONDS, self._patience)),
                self._connection() as connection,
            ):
                await connection.fetchval("SELECT 1")

    async def aclose(self) -> None:
        await self._pool.aclose()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        with _errors():
            connection = await self._pool.take(time.monotonic() + self._patience)
            try:
                yield connection
            except (asyncio.CancelledError, TimeoutError):
                connection.terminate()  # its next user would wait for the end of the statement
                raise
            finally:
                await self._pool.put_back(connection)


async def _drop(connection: Any) -> None:  # noqa: ANN401 (asyncpg has no types)
    connection.terminate()


@contextmanager
def _errors() -> Iterator[None]:
    """Turn what PostgreSQL and the way to it raise into errors of a store."""
    try:
        yield
    except CannotConnect as error:
        raise StoreUnavailable(f"PostgreSQL can't be reached: {error}") from error.__cause__
    except asyncpg.DiskFullError as error:
        raise StoreFull("PostgreSQL's disk is full") from error
    except asyncpg.PostgresError as error:
        state = error.sqlstate or ""
        if not state.startswith(_UNAVAILABLE_CLASSES) and state not in (_READ_ONLY, *_NO_TABLES):
            raise
        raise StoreUnavailable(f"PostgreSQL refuses service: {error}") from error
    except (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        # the last is what the driver makes of a connection that is lost between two messages
        raise StoreUnavailable(f"PostgreSQL does not answer: {error!r}") from error
