"""One database, two verbs: `write` and `read` run plain functions over a connection."""

from app.database.base import Database, DatabaseFull, DatabaseUnavailable
from app.database.notices import notify
from app.database.patience import Patience
from app.database.reserve import require_storage
from app.database.statements import Statement, insert_if_absent, insert_into

__all__ = [
    "Database",
    "DatabaseFull",
    "DatabaseUnavailable",
    "Patience",
    "Statement",
    "insert_if_absent",
    "insert_into",
    "notify",
    "require_storage",
]
