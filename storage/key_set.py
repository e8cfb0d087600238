"""A set of perhaps millions of keys, in a temporary file that ends with the process."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Final

_CACHE: Final = 4096  # KiB


class KeySet:
    """A set of keys on disk. Its methods block, and may be called by one thread at a time."""

    def __init__(self) -> None:
        # a nameless database is a temporary file, which SQLite writes when its cache is full
        self._file = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._file.execute("PRAGMA journal_mode = OFF")
        self._file.execute(f"PRAGMA cache_size = -{_CACHE}")
        self._file.execute("CREATE TABLE keys (key TEXT PRIMARY KEY) WITHOUT ROWID")

    def add(self, keys: Iterable[str]) -> None:
        """Add keys."""
        self._file.execute("BEGIN")
        self._file.executemany("INSERT OR IGNORE INTO keys VALUES (?)", [(key,) for key in keys])
        self._file.execute("COMMIT")

    def lacking(self, keys: Sequence[str]) -> set[str]:
        """Return those of ``keys`` that it does not hold."""
        query = "SELECT value FROM json_each(?) WHERE value NOT IN (SELECT key FROM keys)"
        return {key for (key,) in self._file.execute(query, (json.dumps(keys),))}

    def close(self) -> None:
        """Delete the file."""
        self._file.close()
