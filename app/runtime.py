"""The runtime of the service: its features, opened once and closed in reverse order."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from app.accounts import bootstrap
from app.accounts.identity import Access
from app.accounts.logins.authentication import Guard
from app.accounts.logins.logins import Logins
from app.accounts.logins.second_factor import SecondFactor
from app.accounts.use_cases import Accounts, Tiers
from app.accounts.welcome.use_cases import Welcome
from app.activity import rows as activity_rows
from app.activity.trimming import TrimEvents
from app.activity.use_cases import Activity
from app.archives.use_cases import Archives
from app.blobs.use_cases import Blobs
from app.buffer.events import BufferEvents
from app.buffer.use_cases import Buffer
from app.bundles.members import Members
from app.bundles.use_cases import Bundles
from app.changes import Changes
from app.config import Settings
from app.disks import folders_of
from app.dumps.flood.use_cases import DumpPolicies
from app.dumps.rules.use_cases import SignatureRules
from app.dumps.signatures.use_cases import Signatures
from app.dumps.use_cases import Dumps
from app.events.outbox import TOPIC
from app.features import TARGETS
from app.files import eviction
from app.files.unclaimed import UnclaimedUploads
from app.files.use_cases import Files
from app.gauges import Gauges
from app.inboxes import rows as inbox_rows
from app.inboxes.maker import InboxMaker
from app.inboxes.use_cases import Inboxes
from app.links.targets import Targets
from app.links.use_cases import Links
from app.mail.mailer import mailer_of
from app.metrics.event_loop import measuring_lag
from app.moving.task import Move
from app.objects.intake.memory import BodyMemoryLimit
from app.objects.reading.downloads import Downloads
from app.parts import Parts, open_parts
from app.pictures.imaging import Imaging
from app.pictures.placeholders import Placeholders
from app.pictures.thumbnails import Thumbnails
from app.pictures.use_cases import Pictures
from app.processes import confinement
from app.security.credentials import Credential
from app.security.keyring import Keyring
from app.security.sealing import Seal
from app.sending.use_cases import Sending
from app.state import Ping, ServiceState
from app.symbolication import Symbolication, open_symbolication
from app.symbols.use_cases import SymbolFiles
from app.takeout.use_cases import Takeout
from app.tasks.generation import RaiseGeneration
from app.tasks.leases import RenewLeases
from app.tasks.reconcile import Reconcile
from app.tasks.session_uses import WriteSessionUses
from app.tasks.supervisor import Supervisor, Task
from app.trends.task import NoteUse
from app.uploads.entities import Kind
from app.uploads.makers import makers_of
from app.uploads.use_cases import ResumableUploads
from app.webhooks.signatures import WEBHOOKS
from app.webhooks.use_cases import Webhooks
from app.workers.link import Link
from storage.moving import MovingStore

_TARGETS: Final = Targets(TARGETS)
_MEMBERS: Final = Members(_TARGETS)
"""Made once in a process: their statements take 30 ms to build, and later to compile."""


@dataclass(frozen=True, slots=True)
class Runtime:
    """Everything that a request may need; reached through one dependency."""

    settings: Settings
    keyring: Keyring
    accounts: Accounts
    second_factor: SecondFactor
    tiers: Tiers
    logins: Logins
    welcome: Welcome
    blobs: Blobs
    buffer: Buffer
    dumps: Dumps
    signatures: Signatures
    signature_rules: SignatureRules
    dump_policies: DumpPolicies
    files: Files
    bundles: Bundles
    pictures: Pictures
    links: Links
    inboxes: Inboxes
    sending: Sending
    symbols: SymbolFiles
    uploads: ResumableUploads
    downloads: Downloads
    archives: Archives
    takeout: Takeout
    activity: Activity
    webhooks: Webhooks
    memory: BodyMemoryLimit
    state: ServiceState
    gauges: Gauges
    parts: Parts
    """The parts of the features; for commands."""
    closing: asyncio.Event
    """Set as soon as the process is to stop, for responses that don't end by themselves."""

    def access(self, credential: Credential, scope: str | None) -> Access:
        """Return the database for a request with this credential, which needs ``scope``."""
        return Access(self.parts.database, credential, scope)


@asynccontextmanager
async def open_runtime(
    settings: Settings,
    *,
    background: bool = True,
    adopt: bool = False,
    link: Link | None = None,
) -> AsyncIterator[Runtime]:
    """Open everything, check that store and database belong together, and start the tasks.

    ``adopt`` and errors are those of `open_parts`; ``link`` is that of a worker among several.
    """
    confinement.hide()
    async with AsyncExitStack() as stack:
        parts = await open_parts(stack, settings, adopt=adopt, link=link)
        await bootstrap.prepare(parts.database, parts.passwords, settings)
        reading = open_symbolication(stack, parts)
        imaging = Imaging(parts.downloads, parts.decoders, max_pixels=settings.max_pixels)
        tasks = _tasks(parts, reading, imaging)
        closing = asyncio.Event()
        if link is not None:
            _follow(link, tasks)
            link.on_drain(closing.set)
        if background:
            stack.push_async_callback(Supervisor(tasks).aclose)
        await stack.enter_async_context(measuring_lag())
        runtime = _build(parts, reading, imaging, tasks, closing, link)
        await runtime.second_factor.renew_seals()
        stack.push_async_callback(runtime.gauges.aclose)
        stack.push_async_callback(runtime.archives.aclose)
        stack.callback(closing.set)
        async with runtime.uploads.stopping_at(closing):
            yield runtime


def _tasks(parts: Parts, reading: Symbolication, imaging: Imaging) -> Sequence[Task]:
    database, store = parts.database, parts.store
    daily = [
        RaiseGeneration(database, store),
        Reconcile(database, store),
        TrimEvents(database, kept_for=parts.settings.events_kept),
        NoteUse(database),
    ]
    of_dumps = [reading.reports, reading.symbols.caches, reading.rules.applying]
    placeholders = Placeholders(database, imaging)
    waking = [parts.sweep, parts.expiry, parts.purge, *of_dumps, placeholders, parts.deliveries]
    of_process = [RenewLeases(parts.uploads), WriteSessionUses(database, parts.session_uses)]
    tasks = [*waking, *of_process, *daily]
    if isinstance(store, MovingStore):
        tasks.append(Move(parts.settings, database, store, wake_sweep=parts.sweep.wake))
    return tasks


def _follow(link: Link, tasks: Sequence[Task]) -> None:
    """Let the tasks of a worker be those of all workers' leader."""

    def wake(name: str | None) -> None:
        for task in tasks:
            if name in {None, task.name}:
                task.wake()

    link.on_wake = wake
    for task in tasks:
        task.lead = link


def _build(
    parts: Parts,
    reading: Symbolication,
    imaging: Imaging,
    tasks: Sequence[Task],
    closing: asyncio.Event,
    link: Link | None,
) -> Runtime:
    settings, database, uploads = parts.settings, parts.database, parts.uploads
    keyring, passwords, limits = parts.keyring, parts.passwords, parts.rate_limits
    guard = Guard(
        database,
        passwords,
        limits,
        Seal(keyring.subkeys("second factors")),
        keyring.subkeys("pending logins"),
    )
    wake_sweep, wake_expiry = parts.sweep.wake, parts.expiry.wake_for
    pings: dict[str, Ping] = {"storage": parts.store.ping}
    if parts.redis is not None:
        pings["redis"] = parts.redis.ping
    links = Links(
        settings,
        database,
        passwords,
        limits,
        _TARGETS,
        keys=keyring.subkeys("timelinks"),
        wake_sweep=wake_sweep,
    )
    state = ServiceState(
        database,
        pings,
        parts.decoders,
        sweep=parts.sweep,
        expiry=parts.expiry,
        moving=isinstance(parts.store, MovingStore),
        folders=folders_of(settings),
    )
    blobs = Blobs(uploads, wake_sweep=wake_sweep)
    buffer = Buffer(
        settings,
        uploads,
        BufferEvents(parts.bus, parts.permits),
        wake_expiry=wake_expiry,
        wake_sweep=wake_sweep,
    )
    dumps = Dumps(
        settings,
        uploads,
        limits,
        parts.memory,
        reading.reports,
        wake_expiry=wake_expiry,
        wake_sweep=wake_sweep,
    )
    files = Files(
        settings,
        uploads,
        UnclaimedUploads(parts.scratch),
        links,
        _MEMBERS,
        wake_expiry=wake_expiry,
        wake_sweep=wake_sweep,
    )
    bundles = Bundles(
        settings,
        database,
        uploads,
        links,
        _MEMBERS,
        evict=eviction.evict_for_one_more,
        wake_expiry=wake_expiry,
        wake_sweep=wake_sweep,
    )
    pictures = Pictures(
        uploads, imaging, Thumbnails(database, uploads, imaging), wake_sweep=wake_sweep
    )
    inboxes = Inboxes(
        settings,
        database,
        uploads,
        links,
        _MEMBERS,
        limits,
        Changes(parts.bus, parts.permits, TOPIC, inbox_rows.mark),
        wake_sweep=wake_sweep,
    )
    makers = makers_of(blobs, buffer, bundles, dumps, files, pictures)
    return Runtime(
        settings=settings,
        keyring=keyring,
        accounts=Accounts(guard, settings, wake_purge=parts.purge.wake),
        second_factor=SecondFactor(guard, settings),
        tiers=Tiers(settings),
        logins=Logins(database, keyring, guard, settings),
        welcome=Welcome(database, passwords, limits, mailer_of(settings), settings),
        blobs=blobs,
        buffer=buffer,
        dumps=dumps,
        signatures=Signatures(),
        signature_rules=reading.rules,
        dump_policies=DumpPolicies(),
        files=files,
        bundles=bundles,
        pictures=pictures,
        links=links,
        inboxes=inboxes,
        sending=Sending(uploads, files, bundles),
        symbols=reading.symbols,
        uploads=ResumableUploads(
            settings,
            database,
            uploads,
            makers | {Kind.INBOX: InboxMaker(inboxes)},
            wake_expiry=wake_expiry,
            wake_sweep=wake_sweep,
        ),
        downloads=parts.downloads,
        archives=Archives(database, parts.downloads, wake_sweep=wake_sweep),
        takeout=Takeout(),
        activity=Activity(Changes(parts.bus, parts.permits, TOPIC, activity_rows.newest)),
        webhooks=Webhooks(
            keyring.subkeys(WEBHOOKS),
            limits,
            private=settings.webhook_private_addresses == "allow",
            public_url=settings.public_url,
            wake=parts.deliveries.wake,
        ),
        memory=parts.memory,
        state=state,
        gauges=Gauges(state, tasks, settings, link),
        parts=parts,
        closing=closing,
    )
