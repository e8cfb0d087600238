"""What a storage and its database hold, seen by independent means: files, botocore, SQL."""

import hashlib
import os
import sqlite3
from collections import Counter
from collections.abc import Mapping
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import botocore.config
import botocore.session

from tests import servers

_MARKERS = {f"{kind}/0/0/{'0' * 32}" for kind in ("instance", "dumps")}

# Of a chunk whose object isn't there the key says so, of an object without chunks the digest.
_POSTGRES_OBJECTS = """
SELECT coalesce(o.key, 'no object of ' || c.key), encode(sha256(string_agg(data, '' ORDER BY n)), 'hex')
FROM holdall_store.objects o FULL JOIN holdall_store.chunks c ON c.key = o.key
GROUP BY o.key, c.key
"""  # noqa: E501
_ROWS = """
SELECT (SELECT count(*) FROM objects), (SELECT count(*) FROM object_bytes),
(SELECT count(*) FROM tombstones)
"""


@cache
def _session() -> Any:  # noqa: ANN401 - botocore has no types
    return botocore.session.get_session()


def s3_client(settings: Mapping[str, str]) -> Any:  # noqa: ANN401 - botocore has no types
    """Make a client of the S3 server that the settings name; close it."""
    return _session().create_client(
        "s3",
        endpoint_url=settings["S3_ENDPOINT_URL"],
        aws_access_key_id=settings["S3_ACCESS_KEY_ID"],
        aws_secret_access_key=settings["S3_SECRET_ACCESS_KEY"],
        region_name=settings["S3_REGION_NAME"],
        config=botocore.config.Config(s3={"addressing_style": "path"}),
    )


class Store(Protocol):
    """Where a service keeps objects."""

    def contents(self) -> Counter[str]:
        """Count what is there: complete objects by their SHA-256, all else by what it is."""


class LocalDisk:
    """The folder of the local store."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._root = Path(settings["DATA_DIR"]) / "objects"

    def contents(self) -> Counter[str]:
        files = [Path(folder, name) for folder, _, names in os.walk(self._root) for name in names]
        found = {path.relative_to(self._root).as_posix(): path for path in files}
        del found[".staging/probe"]
        digests: Counter[str] = Counter()
        for name, path in found.items():
            if name.startswith(".staging/"):
                digests[f"staged: {name}"] += 1
            elif name not in _MARKERS:
                with suppress(FileNotFoundError), path.open("rb") as file:  # swept meanwhile
                    digests[hashlib.file_digest(file, "sha256").hexdigest()] += 1
        return digests


class Bucket:
    """The bucket of the S3 store."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._client = s3_client(settings)
        self._name = settings["S3_BUCKET_NAME"]

    def contents(self) -> Counter[str]:
        digests: Counter[str] = Counter()
        for entry in self._client.list_objects_v2(Bucket=self._name).get("Contents", ()):
            if entry["Key"] in _MARKERS:
                continue
            with suppress(self._client.exceptions.NoSuchKey):  # swept meanwhile
                answer = self._client.get_object(Bucket=self._name, Key=entry["Key"])
                with closing(answer["Body"]) as body:
                    digests[hashlib.sha256(body.read()).hexdigest()] += 1
        unfinished = self._client.list_multipart_uploads(Bucket=self._name).get("Uploads", ())
        return digests + Counter(f"unfinished: {upload['Key']}" for upload in unfinished)

    def close(self) -> None:
        self._client.close()


class Tables:
    """The tables of the PostgreSQL store."""

    def __init__(self, settings: Mapping[str, str], server: servers.PostgresServer) -> None:
        self._dsn = settings["DATABASE_URL"]
        self._server = server

    def contents(self) -> Counter[str]:
        lines = self._server.execute(_POSTGRES_OBJECTS, self._dsn).splitlines()
        rows = [line.split("|") for line in lines]
        return Counter(
            digest if key[0].islower() and " " not in key and digest else f"{key}: {digest}"
            for key, digest in rows
            if key not in _MARKERS
        )


class Rows(Protocol):
    """The tables of a service's metadata."""

    def query(self, sql: str) -> list[int]:
        """Return the one row, of numbers, that a statement gives."""


class SqliteRows:
    """The tables in a SQLite file."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._path = Path(settings["DATA_DIR"]) / "holdall.db"

    def query(self, sql: str) -> list[int]:
        uri = f"file:{self._path}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=10)) as connection:
            return [*connection.execute(sql).fetchone()]


class PostgresRows:
    """The tables in PostgreSQL."""

    def __init__(self, settings: Mapping[str, str], server: servers.PostgresServer) -> None:
        self._dsn = settings["DATABASE_URL"]
        self._server = server

    def query(self, sql: str) -> list[int]:
        return [int(number) for number in self._server.execute(sql, self._dsn).split("|")]


class Inside:
    """What a service holds, on storage and in its database."""

    def __init__(self, store: Store, rows: Rows) -> None:
        self.store = store
        self._rows = rows

    def rows(self) -> list[int]:
        """Return the numbers of objects, of those that are in their row, and of tombstones."""
        return self._rows.query(_ROWS)

    def lease(self) -> int:
        """Return until when the one upload's lease goes, in microseconds."""
        return self._rows.query("SELECT lease_until FROM objects")[0]
