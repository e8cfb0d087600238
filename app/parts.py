"""The parts that features are built from, opened once and closed in reverse order."""

import math
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.accounts.logins.session_uses import SessionUses
from app.bus.local import Bus, LocalBus
from app.config import ConfigError, Settings
from app.config.cores import usable_cores
from app.database import Database
from app.database.migrate import migrate
from app.database.sqlite.database import SqliteDatabase
from app.events.outbox import Outbox
from app.features import EXPIRING, TABLES
from app.objects.intake.memory import BodyMemoryLimit
from app.objects.reading.downloads import Downloads
from app.objects.scratch import Scratch
from app.objects.uploads import Uploads
from app.permits import LocalPermits, Permits
from app.pictures.imaging import CHILD_MODULES, DECODING_SECONDS
from app.processes.pool import ChildPool
from app.security.keyring import Keyring
from app.security.passwords import Passwords
from app.security.rate_limits import LocalRateLimits, NoRateLimits, RateLimits
from app.stores import open_store
from app.tasks.expiry import Expiry
from app.tasks.purge import Purge
from app.tasks.sweep import Sweep
from app.webhooks.signatures import WEBHOOKS
from app.webhooks.task import Deliveries
from app.workers.link import Link
from app.workers.sharing import WorkerBus, WorkerPermits, WorkerRateLimits
from storage.base import ObjectStore
from storage.moving import MovingStore

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from app.bus.over_redis import RedisBus


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts; requests use the features that are built from them."""

    settings: Settings
    database: Database
    store: ObjectStore
    redis: "Redis | None"
    bus: Bus
    scratch: Scratch
    keyring: Keyring
    passwords: Passwords
    rate_limits: RateLimits
    permits: Permits
    session_uses: SessionUses
    workers: int
    """How many processes of this host serve together."""
    memory: BodyMemoryLimit
    uploads: Uploads
    downloads: Downloads
    decoders: ChildPool
    sweep: Sweep
    expiry: Expiry
    purge: Purge
    deliveries: Deliveries


async def open_parts(
    stack: AsyncExitStack, settings: Settings, *, adopt: bool, link: Link | None = None
) -> Parts:
    """Migrate, and open the parts, which ``stack`` closes.

    ``link`` is that of a worker, which shares with others what a process has alone otherwise.
    ``adopt`` takes the store as it is, whatever marks it lacks and however new it is. Raises
    `ConfigError`, `DatabaseUnavailable` or `StoreUnavailable` when it can't.
    """
    workers = 1 if link is None else link.of
    _prepare_folder(settings)
    scratch = _open_scratch(settings)
    stack.callback(scratch.close)
    await migrate(settings)
    if settings.uses_postgres:
        from app.database.postgres.room import with_pool

        settings = await with_pool(settings, workers)
    database = open_database(settings)
    stack.push_async_callback(database.aclose)
    store = await open_store(stack, settings, database, adopt=adopt)
    redis = None
    bus: Bus = LocalBus() if link is None else WorkerBus(link)
    permits: Permits = LocalPermits() if link is None else WorkerPermits(link)
    if settings.redis_url is not None:
        redis = _open_redis(settings.redis_url.get_secret_value())
        stack.push_async_callback(redis.aclose)
        bus = redis_bus = _open_bus(settings.redis_url.get_secret_value())
        stack.push_async_callback(redis_bus.aclose)
    outbox = Outbox(bus)
    stack.push_async_callback(outbox.aclose)
    database.on_notice = outbox.tell
    keyring = Keyring(settings)
    deliveries = Deliveries(
        database,
        keyring.subkeys(WEBHOOKS),
        private=settings.webhook_private_addresses == "allow",
        public_url=settings.public_url,
    )
    stack.push_async_callback(deliveries.aclose)
    outbox.wake_deliveries = deliveries.wake
    passwords = Passwords(max(1, usable_cores() // workers))
    stack.callback(passwords.close)
    sweep = Sweep(database, store, moving=isinstance(store, MovingStore))
    uploads = Uploads(
        database,
        store,
        inline_max=settings.inline_max_bytes,
        on_give_up=sweep.wake,
        workers=workers,
    )
    stack.push_async_callback(uploads.aclose)
    decoders = ChildPool(
        workers=math.ceil(settings.decoders / workers),
        permits=permits,
        at_once=settings.decoders,
        memory=settings.decoder_memory,
        seconds=DECODING_SECONDS,
        name="decoders",
        modules=CHILD_MODULES,
        threads=True,  # without which libde265 decodes no HEIC
    )
    stack.push_async_callback(decoders.aclose)
    return Parts(
        settings=settings,
        database=database,
        store=store,
        redis=redis,
        bus=bus,
        scratch=scratch,
        keyring=keyring,
        passwords=passwords,
        rate_limits=_rate_limits(settings, redis, link),
        permits=permits,
        session_uses=SessionUses(),
        workers=workers,
        memory=BodyMemoryLimit(permits),
        uploads=uploads,
        downloads=Downloads(database, store, scratch),
        decoders=decoders,
        sweep=sweep,
        expiry=Expiry(database, EXPIRING, wake_sweep=sweep.wake),
        purge=Purge(database, TABLES, wake_sweep=sweep.wake),
        deliveries=deliveries,
    )


def open_database(settings: Settings) -> Database:
    """Open the database of the settings, which has been migrated."""
    if settings.uses_postgres:
        from app.database.postgres.database import PostgresDatabase

        return PostgresDatabase(settings.postgres_dsn, settings.database_pool)
    return SqliteDatabase(settings.sqlite_path, reserve=settings.disk_reserve)


def _open_redis(url: str) -> "Redis":
    from redis.asyncio import Redis

    redis: Redis = Redis.from_url(url, socket_timeout=2, socket_connect_timeout=2)
    return redis


def _open_bus(url: str) -> "RedisBus":
    from app.bus.over_redis import RedisBus

    return RedisBus(url)


def _rate_limits(settings: Settings, redis: "Redis | None", link: Link | None) -> RateLimits:
    if settings.rate_limits == "off":
        return NoRateLimits()
    of_host = LocalRateLimits() if link is None else WorkerRateLimits(link)
    if redis is None:
        return of_host
    from app.security.redis_rate_limits import RedisRateLimits

    return RedisRateLimits(redis, without=of_host)


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
