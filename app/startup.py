"""Errors that stop the start, reported in one line."""

from typing import Final

from app.backup.errors import BackupError
from app.config import ConfigError
from app.database import DatabaseFull, DatabaseUnavailable
from app.database.generations import OlderDatabase
from app.errors import ProblemError
from storage.errors import StorageError

EXPECTED: Final = (
    ConfigError,
    DatabaseUnavailable,
    DatabaseFull,
    OlderDatabase,
    BackupError,
    StorageError,
    ProblemError,
)
"""Errors that an operator can mend, and needs no traceback for."""


def explain(error: BaseException) -> str:
    """Return the message for one of the `EXPECTED` errors, with the settings that it concerns."""
    if isinstance(error, DatabaseUnavailable | DatabaseFull):
        return f"Holdall can't use its database (DATABASE_URL, DATA_DIR, DB_HOST): {error}"
    if isinstance(error, StorageError):
        return f"Holdall can't use its object store (ACTIVE_STORAGE, its settings): {error}"
    if isinstance(error, ProblemError | OlderDatabase | BackupError):
        return f"Holdall can't do this: {error}"
    return f"Holdall can't start with these settings:\n{error}"
