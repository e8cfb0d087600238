"""Commands that make backups, look at them, and bring them back."""

from collections.abc import Sequence
from contextlib import AsyncExitStack

from app.backup import pruning, restoring, snapshots
from app.backup.errors import BackupError
from app.backup.making import make
from app.backup.manifest import Absent, Manifest
from app.backup.targets import open_target
from app.backup.verifying import Verification
from app.config import ConfigError, Settings
from app.database.migrate import migrate
from app.parts import open_database
from app.runtime import open_runtime
from app.stores import open_bare_store, open_store


async def backup(settings: Settings, place: str, *, with_key: bool) -> int:
    """Make a snapshot; returns 1 if the store lacks what its rows name."""
    async with (
        AsyncExitStack() as stack,
        open_runtime(settings, background=False) as runtime,
    ):
        target = await open_target(stack, settings, place)
        parts = runtime.parts
        made = await make(settings, parts.database, parts.store, target, with_key=with_key)
    manifest = made.snapshot.manifest
    _tell(manifest.absent)
    print(f"{_line_of(made.snapshot)}; copied {made.copied} ({made.bytes} bytes)")  # noqa: T201
    return 1 if manifest.absent else 0


async def list_backups(settings: Settings, place: str) -> int:
    """Print the snapshots, the newest first; returns 1 if a manifest is damaged."""
    async with AsyncExitStack() as stack:
        target = await open_target(stack, settings, place)
        found, damaged = [], []
        for key in await snapshots.keys_of(target):
            try:
                found.append(await snapshots.read(target, key))
            except BackupError as error:
                damaged.append(str(error))
    for line in damaged:
        print(line)  # noqa: T201
    for snapshot in sorted(found, key=lambda one: one.manifest.taken_at, reverse=True):
        print(_line_of(snapshot))  # noqa: T201
    return 1 if damaged else 0


async def prune(settings: Settings, place: str, keep: int) -> int:
    """Remove all snapshots but the newest."""
    async with AsyncExitStack() as stack:
        target = await open_target(stack, settings, place)
        pruned = await pruning.prune(target, keep)
    print(  # noqa: T201
        f"{pruned.removed} snapshots removed, {pruned.left} left; {pruned.objects} objects deleted"
    )
    return 0


async def verify(settings: Settings, place: str, wanted: str | None) -> int:
    """Read all that the snapshots name, or one does; returns 1 if anything is wrong."""
    async with AsyncExitStack() as stack:
        target = await open_target(stack, settings, place)
        found = await snapshots.read_all(target)
        if wanted is not None or not found:
            found = [await snapshots.find(target, wanted)]
        verification = Verification(target)
        await verification.run(found)
    _tell(verification.faults)
    print(f"{len(found)} snapshots, {verification.objects} objects read")  # noqa: T201
    return 1 if verification.faults else 0


async def restore(settings: Settings, place: str, wanted: str | None) -> int:
    """Bring a snapshot back; returns 1 if any of its objects is missing or damaged."""
    if settings.previous is not None:
        raise ConfigError("PREVIOUS_STORAGE: a database that is restored has no previous store")
    async with AsyncExitStack() as stack:
        source = await open_target(stack, settings, place)
        snapshot = await snapshots.find(source, wanted)
        restoring.require_known(snapshot.manifest)
        await migrate(settings)
        store = await open_bare_store(stack, settings)
        restored = await restoring.restore(settings, source, store, snapshot.manifest)
    await _mark(settings)
    absent = [*snapshot.manifest.absent, *restored.absent]
    _tell(absent)
    for line in [*_rows_of(snapshot.manifest), *restored.notes]:
        print(line)  # noqa: T201
    print(f"Restored {_line_of(snapshot)}; copied {restored.copied}")  # noqa: T201
    return 1 if absent else 0


async def _mark(settings: Settings) -> None:
    """Give the restored database its identity, and its store the marks."""
    async with AsyncExitStack() as stack:
        database = open_database(settings)
        stack.push_async_callback(database.aclose)
        await open_store(stack, settings, database, adopt=False)


def _tell(absent: Sequence[Absent]) -> None:
    for one in absent:
        print(f"{one.why}: {one.key}")  # noqa: T201


def _rows_of(manifest: Manifest) -> list[str]:
    return [f"{table.name}: {table.rows}" for table in manifest.tables if table.rows]


def _line_of(snapshot: snapshots.Snapshot) -> str:
    manifest = snapshot.manifest
    rows = sum(table.rows for table in manifest.tables)
    objects = f"{manifest.objects.objects} objects ({manifest.objects.bytes} bytes)"
    lacking = f", {len(manifest.absent)} of them absent" if manifest.absent else ""
    key = ", with the signing keys" if manifest.signing_keys else ""
    when = manifest.taken_at[: len("2026-01-31T12:00:00")]
    return f"{snapshot.id} of {when}Z: {rows} rows, {objects}{lacking}{key}"
