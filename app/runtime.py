"""What a running service is made of, opened once and closed in reverse."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import uuid_utils

from app.accounts import bootstrap
from app.blobs.use_cases import Blobs
from app.buffer.events import BufferEvents
from app.buffer.use_cases import Buffer
from app.config import ConfigError, Settings
from app.database import Database, generations, instance
from app.database.migrate import migrate
from app.database.sqlite import SqliteDatabase
from app.dumps.reports import MEMORY, READER, SECONDS, Reports
from app.dumps.use_cases import Dumps
from app.events.bus import Bus, LocalBus
from app.objects.downloads import Downloads
from app.objects.memory import MemoryRoom
from app.objects.scratch import Scratch
from app.objects.storage_use import StorageUses
from app.objects.unclaimed import Anteroom
from app.objects.uploads import Uploads
from app.pictures.imaging import Imaging
from app.pictures.thumbnails import Thumbnails
from app.processes import confinement
from app.processes.pool import ChildPool
from app.security.keyring import Keyring
from app.security.passwords import Passwords
from app.security.rate_limits import LocalRateLimits, NoRateLimits, RateLimits
from app.tasks.expiry import Expiry
from app.tasks.generation import RaiseGeneration
from app.tasks.leases import RenewLeases
from app.tasks.purge import Purge
from app.tasks.reconcile import Reconcile
from app.tasks.supervisor import Supervisor
from app.tasks.sweep import Sweep
from storage.base import ObjectStore
from storage.errors import StoreUnmarked
from storage.local import LocalStore
from storage.marked import marked

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from app.events.redis_bus import RedisBus

# What only some deployments use is imported where it is opened: clients of Redis, S3 and
# PostgreSQL take 60 MiB, which the embedded profile has no need for.

DECODING_SECONDS: Final = 30.0
"""How long a picture may take in a child; one of 100 MP takes a tenth of it."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """Everything that a request may need; reached through one dependency."""

    settings: Settings
    database: Database
    store: ObjectStore
    redis: "Redis | None"
    keyring: Keyring
    passwords: Passwords
    rate_limits: RateLimits
    blobs: Blobs
    buffer: Buffer
    dumps: Dumps
    uploads: Uploads
    anteroom: Anteroom
    downloads: Downloads
    decoders: ChildPool
    imaging: Imaging
    thumbnails: Thumbnails
    memory: MemoryRoom
    storage_uses: StorageUses
    sweep: Sweep
    expiry: Expiry
    purge: Purge
    bus: Bus
    closing: asyncio.Event
    """Set as soon as the process is to stop: what has no end by itself must end then."""


@asynccontextmanager
async def open_runtime(
    settings: Settings, *, background: bool = True, adopt: bool = False
) -> AsyncIterator[Runtime]:
    """Migrate, open everything, check that store and database belong together, start the tasks.

    ``adopt`` takes the store as it is, whatever marks it lacks and however new it is. Raises
    `ConfigError`, `DatabaseUnavailable` or `StoreUnavailable` when it can't.
    """
    confinement.hide()
    async with AsyncExitStack() as stack:
        _prepare_folder(settings)
        scratch = _open_scratch(settings)
        stack.callback(scratch.close)
        await migrate(settings)
        database = open_database(settings)
        stack.push_async_callback(database.aclose)
        own = await database.write(instance.identify, str(uuid_utils.uuid7()))
        if adopt:
            own = replace(own, generation=0)
        bare = await STORES[settings.active_storage](settings, own.marks)
        stack.push_async_callback(bare.aclose)
        await bare.ping()
        await instance.tie(settings, database, bare, own)
        store = marked(bare, instance.MARKS, own.uuid.encode())
        if adopt:
            await generations.catch_up(database, store)
        redis = None
        bus: Bus = LocalBus()
        if settings.redis_url is not None:
            redis = _open_redis(settings.redis_url.get_secret_value())
            stack.push_async_callback(redis.aclose)
            bus = redis_bus = _open_bus(settings.redis_url.get_secret_value())
            stack.push_async_callback(redis_bus.aclose)
        passwords = Passwords()
        stack.callback(passwords.close)
        await bootstrap.prepare(database, passwords, settings)
        sweep = Sweep(database, store)
        uploads = Uploads(
            database, store, inline_max=settings.inline_max_bytes, on_give_up=sweep.wake
        )
        stack.push_async_callback(uploads.aclose)
        decoders = ChildPool(
            workers=settings.decoders,
            memory=settings.decoder_memory,
            seconds=DECODING_SECONDS,
            name="decoders",
            modules=["app.pictures.decoding"],
            threads=True,  # without which libde265 decodes no HEIC
        )
        stack.push_async_callback(decoders.aclose)
        downloads = Downloads(database, store, scratch)
        imaging = Imaging(downloads, decoders, max_pixels=settings.max_pixels)
        readers = ChildPool(
            workers=1,
            memory=MEMORY,
            seconds=SECONDS,
            name="minidumps",
            modules=[READER],
        )
        stack.push_async_callback(readers.aclose)
        reports = Reports(database, downloads, readers)
        expiry = Expiry(database, wake_sweep=sweep.wake)
        purge = Purge(database, wake_sweep=sweep.wake)
        if background:
            daily = [RaiseGeneration(database, store), Reconcile(database, store)]
            tasks = [sweep, expiry, purge, reports, RenewLeases(uploads), *daily]
            stack.push_async_callback(Supervisor(tasks).aclose)
        rate_limits = _rate_limits(settings, redis)
        memory = MemoryRoom()
        closing = asyncio.Event()
        stack.callback(closing.set)
        yield Runtime(
            settings=settings,
            database=database,
            store=store,
            redis=redis,
            keyring=Keyring(settings),
            passwords=passwords,
            rate_limits=rate_limits,
            blobs=Blobs(uploads, wake_sweep=sweep.wake),
            buffer=Buffer(
                uploads,
                BufferEvents(bus),
                lifetime=settings.expire_time,
                wake_sweep=sweep.wake,
                wake_expiry=expiry.wake_for,
            ),
            dumps=Dumps(
                settings,
                uploads,
                rate_limits,
                memory,
                reports,
                wake_expiry=expiry.wake_for,
                wake_sweep=sweep.wake,
            ),
            uploads=uploads,
            anteroom=Anteroom(scratch),
            downloads=downloads,
            decoders=decoders,
            imaging=imaging,
            thumbnails=Thumbnails(database, uploads, imaging),
            memory=memory,
            storage_uses=StorageUses(database),
            sweep=sweep,
            expiry=expiry,
            purge=purge,
            bus=bus,
            closing=closing,
        )


def open_database(settings: Settings) -> Database:
    """Open the database that the settings name; it has been migrated."""
    if settings.uses_postgres:
        from app.database.postgres import PostgresDatabase

        return PostgresDatabase(settings.postgres_dsn)
    return SqliteDatabase(settings.sqlite_path, reserve=settings.disk_reserve)


def _open_redis(url: str) -> "Redis":
    from redis.asyncio import Redis

    redis: Redis = Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2)
    return redis


def _open_bus(url: str) -> "RedisBus":
    from app.events.redis_bus import RedisBus

    return RedisBus(url)


def _rate_limits(settings: Settings, redis: "Redis | None") -> RateLimits:
    if settings.rate_limits == "off":
        return NoRateLimits()
    if redis is None:
        return LocalRateLimits()
    from app.security.redis_rate_limits import RedisRateLimits

    return RedisRateLimits(redis)


def _prepare_folder(settings: Settings) -> None:
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"DATA_DIR: {error.strerror}: {settings.data_dir}") from error


def _open_scratch(settings: Settings) -> Scratch:
    try:
        return Scratch(settings.data_dir / "tmp", reserve=settings.disk_reserve)
    except OSError as error:
        raise ConfigError(f"DATA_DIR: {error.strerror}: {error.filename}") from error


# Each opens a store; of one that has these marks, a local one makes nothing where they are not.


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
    from storage.s3 import S3Store  # only here: it takes half a second and 40 MiB to import

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


STORES = {"local": _open_local, "s3": _open_s3, "database": _open_postgres}
