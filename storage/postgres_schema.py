"""The two tables that the PostgreSQL store keeps in a schema of its own, and its statements."""

from typing import Any

CHUNK = 1 << 20
"""Size in bytes of the chunks that a new object is cut into."""

_LOCK = 0x486F6C64616C6C53

# Keys are compared byte by byte, whatever the database's collation is. A chunk's bytes lie in
# pages of their own uncompressed, so that a part of one can be read without the rest.
_CREATE = """
CREATE SCHEMA IF NOT EXISTS holdall_store;
CREATE TABLE holdall_store.objects (
    key text COLLATE "C" PRIMARY KEY,
    size bigint NOT NULL,
    chunk_size integer NOT NULL,
    created_at bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
);
CREATE TABLE holdall_store.chunks (
    key text COLLATE "C",
    n integer,
    data bytea NOT NULL,
    PRIMARY KEY (key, n)
);
ALTER TABLE holdall_store.chunks ALTER COLUMN data SET STORAGE EXTERNAL;
"""

# The server writes its log in order. The commit that makes an object waits until the log is on
# disk up to itself, and so with every chunk before it: these need not wait one by one.
ADD_CHUNK = """
INSERT INTO holdall_store.chunks (key, n, data)
SELECT $1::text, $2::integer, $3::bytea FROM set_config('synchronous_commit', 'off', true)
"""

# But a server that crashed meanwhile may have lost chunks that it had accepted; a sweep may have
# taken them away, too. So they are counted.
COMPLETE = """
INSERT INTO holdall_store.objects (key, size, chunk_size)
SELECT $1::text, $2::bigint, $3::integer
FROM (
    SELECT count(*) AS chunks, coalesce(sum(octet_length(data)), 0) AS bytes
    FROM holdall_store.chunks WHERE key = $1
) AS stored, set_config('synchronous_commit', 'on', true)
WHERE stored.bytes = $2 AND stored.chunks = $4::integer
"""

ADD_SMALL = """
WITH chunk AS (INSERT INTO holdall_store.chunks (key, n, data) VALUES ($1, 0, $4))
INSERT INTO holdall_store.objects (key, size, chunk_size)
SELECT $1::text, $2::bigint, $3::integer FROM set_config('synchronous_commit', 'on', true)
"""

STAT = "SELECT size, chunk_size, created_at FROM holdall_store.objects WHERE key = $1"

# Of the chunks that hold the bytes from $2 up to $3, just these bytes.
READ = """
SELECT substring(
    data
    FROM (greatest($2::bigint - n::bigint * $4, 0) + 1)::integer
    FOR (least($3::bigint - n::bigint * $4, $4) - greatest($2 - n::bigint * $4, 0))::integer
)
FROM holdall_store.chunks
WHERE key = $1 AND n BETWEEN $2 / $4::bigint AND ($3 - 1) / $4
ORDER BY n
"""

LIST = """
SELECT key, size, created_at FROM holdall_store.objects WHERE key >= $1 ORDER BY key LIMIT $2
"""

# Of the chunks of keys after $1: the last key among $2 of them, and the keys that no object has.
UNFINISHED = """
WITH page AS (SELECT key FROM holdall_store.chunks WHERE key > $1 ORDER BY key LIMIT $2)
SELECT max(key) AS last, array_agg(DISTINCT key) FILTER (
    WHERE NOT EXISTS (SELECT FROM holdall_store.objects AS o WHERE o.key = page.key)
) AS keys
FROM page
"""

# Rows are locked in one order, so that deletes of the same keys never wait for each other.
DELETE_OBJECTS = """
DELETE FROM holdall_store.objects WHERE key IN (
    SELECT key FROM holdall_store.objects WHERE key = ANY($1) ORDER BY key FOR UPDATE
)
"""

DELETE_CHUNKS = """
DELETE FROM holdall_store.chunks WHERE (key, n) IN (
    SELECT key, n FROM holdall_store.chunks WHERE key = ANY($1) ORDER BY key, n LIMIT $2 FOR UPDATE
)
"""


async def create_tables(connection: Any) -> None:  # noqa: ANN401 (asyncpg has no types)
    """Create schema and tables where they are missing, by one process at a time."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
        if not await connection.fetchval("SELECT to_regclass('holdall_store.chunks')"):
            await connection.execute(_CREATE)
