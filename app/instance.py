"""Ties a store to its database, so that no sweep runs against somebody else's objects."""

from collections.abc import AsyncIterator
from typing import Final

import uuid_utils
from sqlalchemy import Connection, select

from app.config import ConfigError, Settings
from app.database import Database, insert_if_absent
from app.migrate import alone
from app.models import instance
from storage.base import ObjectStore
from storage.errors import ObjectNotFound

# one for each place that a store may be spread over: dumps can live in a folder of their own
MARKERS: Final = tuple(f"{kind}/0/0/{'0' * 32}" for kind in ("instance", "dumps"))

_create = insert_if_absent(instance, "id", "uuid")


async def tie(settings: Settings, database: Database, store: ObjectStore) -> None:
    """Mark the store with the database's instance id, or check its mark.

    Raises `ConfigError` when the store belongs to another database.
    """
    own = await database.write(instance_id, str(uuid_utils.uuid7()))
    if await _unmarked(store, own):
        # one process at a time: keys are for one writer
        async with alone(settings):
            for marker in await _unmarked(store, own):
                await store.delete([marker])  # what a start that was killed has left of it
                await store.put(marker, _once(own.encode()), size=len(own))


async def _unmarked(store: ObjectStore, own: str) -> list[str]:
    """Return the markers that the store lacks."""
    missing = []
    for marker in MARKERS:
        try:
            found = await _read(store, marker)
        except ObjectNotFound:
            missing.append(marker)
            continue
        if found != own:
            raise ConfigError(
                f"ACTIVE_STORAGE: the store belongs to another database (its instance is {found}, "
                f"this database's is {own}); point both to the same instance"
            )
    return missing


def instance_id(connection: Connection, fresh: str) -> str:
    """Return the database's instance id; ``fresh`` becomes it when there is none yet."""
    _create(connection, id=1, uuid=fresh)
    found: str = connection.execute(select(instance.c.uuid)).scalar_one()
    return found


async def _read(store: ObjectStore, key: str) -> str:
    async with store.open(key) as reader:
        return b"".join([chunk async for chunk in reader]).decode()


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
