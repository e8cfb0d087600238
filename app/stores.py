"""Storage backends, listed by their names in `ACTIVE_STORAGE`, and the store of a database."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Final

import uuid_utils

from app.config import ConfigError, Settings
from app.database import Database, generations, instance
from app.database.instance import MARKS, PART_MARKS, Instance
from app.metrics.measured_store import measured
from app.moving import marks as moves
from storage.base import ObjectStore
from storage.errors import StoreUnmarked
from storage.local import LocalStore
from storage.marked import marked
from storage.moving import moving

# What only some deployments use is imported where it is opened: clients of S3 and PostgreSQL take
# 60 MiB and half a second, which the embedded profile has no need for.


async def _open_local(settings: Settings, marks: Sequence[str], prefix: str) -> ObjectStore:
    kinds = {} if settings.dumps_base_dir is None else {"dumps": settings.dumps_base_dir}
    name = f"{prefix}LOCAL_STORAGE_PATH" + (f" or {prefix}DUMPS_BASE_DIR" if kinds else "")
    try:
        return LocalStore(
            settings.objects_path, kinds=kinds, required=marks, reserve=settings.disk_reserve
        )
    except FileNotFoundError as error:
        raise StoreUnmarked(f"{name}: {instance.lacking(error.filename)}") from error
    except OSError as error:
        raise ConfigError(f"{name}: {error.strerror}: {error.filename}") from error


async def _open_s3(settings: Settings, _marks: Sequence[str], prefix: str) -> ObjectStore:
    from storage.s3.store import S3Store

    assert settings.s3_bucket_name is not None
    assert settings.s3_access_key_id is not None
    assert settings.s3_secret_access_key is not None
    try:
        return await S3Store.connect(
            bucket=settings.s3_bucket_name,
            region=settings.s3_region_name,
            access_key=settings.s3_access_key_id,
            secret_key=settings.s3_secret_access_key.get_secret_value(),
            endpoint_url=settings.s3_endpoint_url,
        )
    except ValueError as error:
        raise ConfigError(f"{prefix}S3_ENDPOINT_URL, {prefix}S3_REGION_NAME: {error}") from error


async def _open_postgres(settings: Settings, _marks: Sequence[str], _prefix: str) -> ObjectStore:
    from storage.postgres import PostgresStore

    store: ObjectStore = await PostgresStore.connect(
        settings.postgres_dsn, connections=settings.database_pool
    )
    return store


@dataclass(frozen=True, slots=True)
class Backend:
    """A storage backend: its name for people, and how it is opened.

    ``open(settings, marks, prefix)`` opens a store that must have these marks already, if any:
    where they are missing, a local one makes no folders. ``prefix`` is what the settings' names
    begin with in messages.
    """

    label: str
    open: Callable[[Settings, Sequence[str], str], Awaitable[ObjectStore]]


BACKENDS: Final[Mapping[str, Backend]] = {
    "local": Backend("local disk", _open_local),
    "s3": Backend("S3", _open_s3),
    "database": Backend("PostgreSQL", _open_postgres),
}


async def open_store(
    stack: AsyncExitStack, settings: Settings, database: Database, *, adopt: bool
) -> ObjectStore:
    """Open the store that belongs to a database, or the two that it moves between.

    ``stack`` closes it. ``adopt`` takes it as it is, whatever marks it lacks and however new it is.
    Raises `ConfigError` and the errors of stores.
    """
    own = await database.write(instance.identify, str(uuid_utils.uuid7()))
    if adopt:
        own = replace(own, generation=0)
    if settings.previous is None:
        store = await _open_whole(stack, settings, database, own)
    else:
        store = await _open_parts(stack, settings, settings.previous, database, own, adopt=adopt)
    if adopt:
        await generations.catch_up(database, store)
    return store


async def _open_whole(
    stack: AsyncExitStack, settings: Settings, database: Database, own: Instance
) -> ObjectStore:
    try:
        bare = await open_bare_store(stack, settings, own.marks)
        await instance.bind(settings, database, bare, own)
    except StoreUnmarked:
        if await _has_marks(settings, PART_MARKS, own):
            raise ConfigError(
                "PREVIOUS_STORAGE: missing; where ACTIVE_STORAGE is, there is only a part of the "
                "objects, as a move is not over: set both as they were, see docs/operating.md"
            ) from None
        raise
    return marked(bare, MARKS, own.uuid.encode())


async def _open_parts(
    stack: AsyncExitStack,
    settings: Settings,
    former: Settings,
    database: Database,
    own: Instance,
    *,
    adopt: bool,
) -> ObjectStore:
    """Open two stores of which one takes the other's place; at first, that was the whole one."""
    if not (own.marks or adopt):
        raise ConfigError("PREVIOUS_STORAGE: this database is new, so it has no previous store")
    was_whole = adopt or await _has_marks(former, MARKS, own, "PREVIOUS_")
    marks = () if was_whole else PART_MARKS
    previous = await open_bare_store(stack, former, marks, "PREVIOUS_")
    new = await open_bare_store(stack, settings, marks)
    if not was_whole:
        await instance.require_marks(previous, marks, own.uuid, "PREVIOUS_STORAGE")
    await instance.require_marks(new, marks, own.uuid)
    await instance.unmarked(new, MARKS, own.uuid)  # raises for another database's
    if was_whole:
        await moves.begin(settings, database, new, previous, own.uuid)
    content = own.uuid.encode()
    return moving(marked(new, PART_MARKS, content), marked(previous, PART_MARKS, content))


async def _has_marks(
    settings: Settings, marks: Sequence[str], own: Instance, prefix: str = ""
) -> bool:
    """Tell whether a store has these marks; raises `ConfigError` if they are another's."""
    async with AsyncExitStack() as stack:
        try:
            store = await open_bare_store(stack, settings, marks, prefix)
        except StoreUnmarked:
            return False
        return not await instance.unmarked(store, marks, own.uuid, f"{prefix or 'ACTIVE_'}STORAGE")


async def open_bare_store(
    stack: AsyncExitStack, settings: Settings, marks: Sequence[str] = (), prefix: str = ""
) -> ObjectStore:
    """Open the store of the settings, whosever it is, which must have these marks."""
    name = settings.active_storage
    bare = await BACKENDS[name].open(settings, marks, prefix)
    store = measured(bare, f"previous {name}" if prefix else name)
    stack.push_async_callback(store.aclose)
    await store.ping()
    return store
