"""What a running service is made of, opened once and closed in reverse."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from app.accounts import bootstrap
from app.accounts.identity import Access
from app.accounts.logins import Logins
from app.accounts.use_cases import Accounts, Tiers
from app.blobs.use_cases import Blobs
from app.buffer.events import BufferEvents
from app.buffer.use_cases import Buffer
from app.config import ConfigError, Settings
from app.database import Database
from app.database.migrate import migrate
from app.database.sqlite import SqliteDatabase
from app.dumps.reports import MEMORY, READER, SECONDS, Reports
from app.dumps.use_cases import Dumps
from app.events.bus import Bus, LocalBus
from app.features import EXPIRING, TABLES, TARGETS
from app.files.use_cases import Files
from app.links.targets import Targets
from app.links.use_cases import Links
from app.objects.downloads import Downloads
from app.objects.memory import BodyMemoryLimit
from app.objects.scratch import Scratch
from app.objects.unclaimed import UnclaimedUploads
from app.objects.uploads import Uploads
from app.pictures.imaging import CHILD_MODULES, Imaging
from app.pictures.thumbnails import Thumbnails
from app.pictures.use_cases import Pictures
from app.processes import confinement
from app.processes.pool import ChildPool
from app.security.credentials import Credential
from app.security.keyring import Keyring
from app.security.passwords import Passwords
from app.security.rate_limits import LocalRateLimits, NoRateLimits, RateLimits
from app.state import ServiceState
from app.stores import open_store
from app.tasks.expiry import Expiry
from app.tasks.generation import RaiseGeneration
from app.tasks.leases import RenewLeases
from app.tasks.purge import Purge
from app.tasks.reconcile import Reconcile
from app.tasks.supervisor import Supervisor
from app.tasks.sweep import Sweep
from storage.base import ObjectStore

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from app.events.redis_bus import RedisBus

DECODING_SECONDS: Final = 30.0
"""How long a picture may take in a child; one of 100 MP takes a tenth of it."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """Everything that a request may need; reached through one dependency."""

    settings: Settings
    database: Database
    store: ObjectStore
    keyring: Keyring
    passwords: Passwords
    rate_limits: RateLimits
    accounts: Accounts
    tiers: Tiers
    logins: Logins
    blobs: Blobs
    buffer: Buffer
    dumps: Dumps
    pictures: Pictures
    files: Files
    links: Links
    uploads: Uploads
    downloads: Downloads
    decoders: ChildPool
    memory: BodyMemoryLimit
    state: ServiceState
    sweep: Sweep
    expiry: Expiry
    purge: Purge
    bus: Bus
    closing: asyncio.Event
    """Set as soon as the process is to stop: what has no end by itself must end then."""

    def access(self, credential: Credential, scope: str) -> Access:
        """Return the database as a credential may use it for what ``scope`` names."""
        return Access(self.database, credential, scope)


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
        store = await open_store(stack, settings, database, adopt=adopt)
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
            modules=CHILD_MODULES,
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
        expiry = Expiry(database, EXPIRING, wake_sweep=sweep.wake)
        purge = Purge(database, TABLES, wake_sweep=sweep.wake)
        if background:
            daily = [RaiseGeneration(database, store), Reconcile(database, store)]
            tasks = [sweep, expiry, purge, reports, RenewLeases(uploads), *daily]
            stack.push_async_callback(Supervisor(tasks).aclose)
        keyring = Keyring(settings)
        limits = _rate_limits(settings, redis)
        memory = BodyMemoryLimit()
        pings = {"storage": store.ping} | ({} if redis is None else {"redis": redis.ping})
        links = Links(
            settings, database, passwords, limits, Targets(TARGETS), key=keyring.subkey("timelinks")
        )
        closing = asyncio.Event()
        stack.callback(closing.set)
        yield Runtime(
            settings=settings,
            database=database,
            store=store,
            keyring=keyring,
            passwords=passwords,
            rate_limits=limits,
            accounts=Accounts(database, passwords, limits, settings, wake_purge=purge.wake),
            tiers=Tiers(settings),
            logins=Logins(database, keyring, passwords, limits, settings),
            blobs=Blobs(uploads, wake_sweep=sweep.wake),
            buffer=Buffer(
                settings,
                uploads,
                BufferEvents(bus),
                wake_expiry=expiry.wake_for,
                wake_sweep=sweep.wake,
            ),
            dumps=Dumps(
                settings,
                uploads,
                limits,
                memory,
                reports,
                wake_expiry=expiry.wake_for,
                wake_sweep=sweep.wake,
            ),
            pictures=Pictures(
                uploads,
                imaging,
                Thumbnails(database, uploads, imaging),
                wake_sweep=sweep.wake,
            ),
            files=Files(
                settings,
                uploads,
                UnclaimedUploads(scratch),
                new_link=links.new_own_link,
                wake_expiry=expiry.wake_for,
                wake_sweep=sweep.wake,
            ),
            links=links,
            uploads=uploads,
            downloads=downloads,
            decoders=decoders,
            memory=memory,
            state=ServiceState(database, pings, decoders, sweep=sweep, expiry=expiry),
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
