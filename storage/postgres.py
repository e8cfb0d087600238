"""The store in PostgreSQL: objects as rows of 1 MiB, for those who run nothing else."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, Self

import asyncpg

from storage.base import ByteRange, ObjectInfo, ObjectReader, ObjectStore, is_key
from storage.completion import run_to_end
from storage.errors import ObjectNotFound, StorageError, StoreFull, StoreUnavailable
from storage.parts import MIB, Part, Parts
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
    create_tables,
)
from storage.readahead import WindowReader

_BUFFERED = 4 * MIB
_LIST_PAGE = 1000
_DELETE_BATCH = 64  # chunks in a transaction, which takes 0.1 s or so
_CALL_SECONDS = 15.0
_PING_SECONDS = 5.0

# SQLSTATE classes that say something of the server, not of the statement: connection exception,
# authorization, database name, rollback, resources, intervention, system, internal.
_UNAVAILABLE_CLASSES = ("08", "28", "3D", "40", "53", "57", "58", "XX")
_READ_ONLY = "25006"  # a standby


class PostgresStore(ObjectStore):
    """Keeps objects as rows of its own two tables, over its own pool of connections.

    A connection is held for one short statement at a time, never while a body or a consumer is
    waited for. A server that stops answering is given up after 15 s.
    """

    def __init__(self, pool: Any) -> None:  # noqa: ANN401 (asyncpg has no types)
        self._pool = pool

    @classmethod
    async def connect(cls, dsn: str, *, connections: int = 10) -> Self:
        """Open up to so many connections and create what tables are missing.

        Raises `StoreUnavailable` when the server does not answer or refuses the DSN.
        """
        pool = asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=connections,
            timeout=_CALL_SECONDS,
            # No statement here changes a session, so nothing is to be reset between two.
            reset=_keep,
        )
        store = cls(pool)
        try:
            with _errors():
                await pool
            async with store._connection() as connection:
                await create_tables(connection)
        except BaseException:
            pool.terminate()
            raise
        return store

    async def put(
        self, key: str, body: AsyncIterable[bytes | memoryview], *, size: int | None
    ) -> None:
        if not is_key(key):
            raise ValueError(f"not a key: {key!r}")
        try:
            await self._put(key, body, size)
        except BaseException as error:
            try:
                await run_to_end(self.delete([key]))
            except StorageError as failure:
                error.add_note(f"chunks of it may be left behind: {failure}")
            raise
