"""Storage backends, listed by their names in `ACTIVE_STORAGE`."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Final

import uuid_utils

from app.config import ConfigError, Settings
from app.database import Database, generations, instance
from app.metrics.measured_store import measured
from storage.base import ObjectStore
from storage.errors import StoreUnmarked
from storage.local import LocalStore
from storage.marked import marked

# What only some deployments use is imported where it is opened: clients of S3 and PostgreSQL take
# 60 MiB and half a second, which the embedded profile has no need for.


async def _open_local(settings: Settings, marks: Sequence[str]) -> ObjectStore:
    kinds = {} if settings.dumps_base_dir is None else {"dumps": settings.dumps_base_dir}
    name = "LOCAL_STORAGE_PATH" + (" or DUMPS_BASE_DIR" if kinds else "")
    try:
        return LocalStore(
            settings.objects_path, kinds=kinds, required=marks, reserve=settings.disk_reserve
        )
    except FileNotFoundError as error:
        raise StoreUnmarked(f"{name}: {instance.lacking(error.filename)}") from error
    except OSError as error:
        raise ConfigError(f"{name}: {error.strerror}: {error.filename}") from error


async def _open_s3(settings: Settings, _marks: Sequence[str]) -> ObjectStore:
    from storage.s3 import S3Store

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
        raise ConfigError(f"S3_ENDPOINT_URL, S3_REGION_NAME: {error}") from error


async def _open_postgres(settings: Settings, _marks: Sequence[str]) -> ObjectStore:
    from storage.postgres import PostgresStore

    store: ObjectStore = await PostgresStore.connect(settings.postgres_dsn)
    return store


@dataclass(frozen=True, slots=True)
class Backend:
    """A storage backend: its name for people, and how it is opened.

    ``open(settings, marks)`` opens a store that must have these marks already, if any: where they
    are missing, a local one makes no folders.
    """

    label: str
    open: Callable[[Settings, Sequence[str]], Awaitable[ObjectStore]]


BACKENDS: Final[Mapping[str, Backend]] = {
    "local": Backend("local disk", _open_local),
    "s3": Backend("S3", _open_s3),
    "database": Backend("PostgreSQL", _open_postgres),
}


async def open_store(
    stack: AsyncExitStack, settings: Settings, database: Database, *, adopt: bool
) -> ObjectStore:
    """Open the store that belongs to a database; ``stack`` closes it.

    ``adopt`` takes it as it is, whatever marks it lacks and however new it is. Raises
    `ConfigError` and the errors of stores.
    """
    own = await database.write(instance.identify, str(uuid_utils.uuid7()))
    if adopt:
        own = replace(own, generation=0)
    bare = await open_bare_store(stack, settings, own.marks)
    await instance.bind(settings, database, bare, own)
    store = marked(bare, instance.MARKS, own.uuid.encode())
    if adopt:
        await generations.catch_up(database, store)
    return store


async def open_bare_store(
    stack: AsyncExitStack, settings: Settings, marks: Sequence[str] = ()
) -> ObjectStore:
    """Open the store of the settings, whosever it is, which must have these marks."""
    name = settings.active_storage
    bare = measured(await BACKENDS[name].open(settings, marks), name)
    stack.push_async_callback(bare.aclose)
    await bare.ping()
    return bare
