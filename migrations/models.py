"""The models of everything that has tables, in one metadata."""

import app.database.instance
import app.features
import app.tasks.tables  # noqa: F401 - for their tables
from app.database.schema import metadata

__all__ = ["metadata"]
