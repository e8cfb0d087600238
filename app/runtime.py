"""What a running service is made of, opened once and closed in reverse."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from app.config import Settings
from app.database import Database
from storage.base import ObjectStore


@dataclass(frozen=True, slots=True)
class Runtime:
    """Everything that a request may need; reached through one dependency."""

    settings: Settings
    database: Database
    store: ObjectStore
