"""What a storage and its database hold, seen by independent means: files, botocore, SQL."""

import hashlib
import os
import sqlite3
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Protocol

from tests import servers

_NO_OBJECTS = (  # what its marks' keys begin with
    "instance/",
    *(f"dumps/{d}/{d}/{d * 32}" for d in "0f"),
)

_POSTGRES_OBJECTS = """
SELECT o.key, encode(sha256(coalesce(string_agg(data, '' ORDER BY n), '')), 'hex')
FROM holdall_store.objects o LEFT JOIN holdall_store.chunks c ON c.key = o.key
GROUP BY o.key
"""
_POSTGRES_REMAINS = """
SELECT DISTINCT key FROM holdall_store.chunks
WHERE key NOT IN (SELECT key FROM holdall_store.objects)
"""
# Of tombstones, those that have seen one delete and wait an hour for another don't count.
_ROWS = """
SELECT (SELECT count(*) FROM objects), (SELECT count(*) FROM object_bytes),
(SELECT count(*) FROM tombstones WHERE due_at <> put_at + 3600000000)
"""


def s3_client(settings: Mapping[str, str]) -> Any:  # noqa: ANN401 - botocore has no types
    """Make a client of the S3 server that the settings name; close it."""
    names = ("ENDPOINT_URL", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "REGION_NAME")
    return servers.s3_client(*(settings[f"S3_{name}"] for name in names))


class Store(ABC):
    """Where a service keeps objects."""

    @abstractmethod
    def digests(self) -> dict[str, str]:
        """Return the SHA-256 of every complete object by its key."""

    @abstractmethod
    def unfinished(self) -> list[str]:
        """Return a word for each thing that is there beside complete objects."""

    @abstractmethod
    def remove(self, key: str) -> None:
        """Do harm: remove an object's bytes."""

    @abstractmethod
    def overwrite(self, key: str, data: bytes) -> None:
        """Do harm: put other bytes where an object's are, or where none are."""

    @abstractmethod
    def begin(self, key: str) -> None:
        """Do harm: leave what a put leaves that was killed half-way."""

    def generation(self) -> int:
        """Return the highest generation that its marks tell."""
        marks = [key for key in self.digests() if key.startswith("instance/")]
        return max(int(key[-30:], 16) for key in marks)

    def contents(self) -> Counter[str]:
        """Count what is there: complete objects by their SHA-256, all else by what it is."""
        found = self.digests().items()
        objects = [digest for key, digest in found if not key.startswith(_NO_OBJECTS)]
        # what a mark's put left is cleared when the next day's is put
        unfinished = [name for name in self.unfinished() if "instance" not in name]
        return Counter([*objects, *unfinished])

    def key_of(self, data: bytes) -> str:
        """Return the key of the one object that has these bytes."""
        wanted = hashlib.sha256(data).hexdigest()
        (key,) = [key for key, digest in self.digests().items() if digest == wanted]
        return key


class LocalDisk(Store):
    """The folder of the local store."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._root = Path(settings["DATA_DIR"]) / "objects"

    def _files(self) -> dict[str, Path]:
        files = [Path(folder, name) for folder, _, names in os.walk(self._root) for name in names]
        found = {path.relative_to(self._root).as_posix(): path for path in files}
        del found[".staging/probe"]
        return found

    def digests(self) -> dict[str, str]:
        digests = {}
        for key, path in self._files().items():
            if not key.startswith(".staging/"):
                with suppress(FileNotFoundError), path.open("rb") as file:  # swept meanwhile
                    digests[key] = hashlib.file_digest(file, "sha256").hexdigest()
        return digests

    def unfinished(self) -> list[str]:
        return [f"staged: {name}" for name in self._files() if name.startswith(".staging/")]

    def remove(self, key: str) -> None:
        (self._root / key).unlink()

    def overwrite(self, key: str, data: bytes) -> None:
        (self._root / key).write_bytes(data)

    def begin(self, key: str) -> None:
        kind, *_, name = key.split("/")
        (self._root / ".staging" / f"{kind}-{name}").write_bytes(b"half")


class Bucket(Store):
    """The bucket of the S3 store."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self._client = s3_client(settings)
        self._name = settings["S3_BUCKET_NAME"]

    def digests(self) -> dict[str, str]:
        digests = {}
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._name)
        for entry in (entry for page in pages for entry in page.get("Contents", ())):
            with suppress(self._client.exceptions.NoSuchKey):  # swept meanwhile
                answer = self._client.get_object(Bucket=self._name, Key=entry["Key"])
                with closing(answer["Body"]) as body:
                    digests[entry["Key"]] = hashlib.sha256(body.read()).hexdigest()
        return digests

    def unfinished(self) -> list[str]:
        answer = self._client.list_multipart_uploads(Bucket=self._name)
        return [f"unfinished: {upload['Key']}" for upload in answer.get("Uploads", ())]

    def remove(self, key: str) -> None:
        self._client.delete_object(Bucket=self._name, Key=key)

    def overwrite(self, key: str, data: bytes) -> None:
        self._client.put_object(Bucket=self._name, Key=key, Body=data)

    def begin(self, key: str) -> None:
        self._client.create_multipart_upload(Bucket=self._name, Key=key)

    def close(self) -> None:
        self._client.close()


class Tables(Store):
    """The tables of the PostgreSQL store."""

    def __init__(self, settings: Mapping[str, str], server: servers.PostgresServer) -> None:
        self._dsn = settings["DATABASE_URL"]
        self._server = server

    def digests(self) -> dict[str, str]:
        lines = self._server.execute(_POSTGRES_OBJECTS, self._dsn).splitlines()
        return dict(line.split("|") for line in lines)

    def unfinished(self) -> list[str]:
        lines = self._server.execute(_POSTGRES_REMAINS, self._dsn).splitlines()
        return [f"chunks without an object: {key}" for key in lines]

    def remove(self, key: str) -> None:
        for table in ("objects", "chunks"):
            self._server.execute(
                f"DELETE FROM holdall_store.{table} WHERE key = '{key}'", self._dsn
            )

    def overwrite(self, key: str, data: bytes) -> None:
        self.remove(key)
        rows = (
            f"INSERT INTO holdall_store.objects VALUES ('{key}', {len(data)}, 1048576);"
            f"INSERT INTO holdall_store.chunks VALUES ('{key}', 0, '\\x{data.hex()}')"
        )
        self._server.execute(rows, self._dsn)

    def begin(self, key: str) -> None:
        row = f"INSERT INTO holdall_store.chunks VALUES ('{key}', 7, 'half')"
        self._server.execute(row, self._dsn)


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

    def segments(self) -> int:
        """Return how many segments there are."""
        return self._rows.query("SELECT count(*) FROM object_segments")[0]

    def generation(self) -> int:
        """Return the database's generation."""
        return self._rows.query("SELECT generation FROM instance")[0]

    def lease(self) -> int:
        """Return until when the one upload's lease goes, in microseconds."""
        return self._rows.query("SELECT lease_until FROM objects")[0]
