"""The snapshots in a target, found by their manifests."""

from dataclasses import dataclass
from typing import Final

from app.backup.errors import BackupError
from app.backup.manifest import Manifest
from app.database.instance import once
from storage.base import ObjectStore, new_key
from storage.errors import ObjectNotFound

KIND: Final = "manifests"
ROWS: Final = "rows"
"""The kind of what belongs to one snapshot alone: its rows, and its list of objects."""

_ID: Final = 12  # digits of the key that people see, and type


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot, by the key of its manifest."""

    key: str
    manifest: Manifest

    @property
    def id(self) -> str:
        """What people call it."""
        return id_of(self.key)


def id_of(key: str) -> str:
    """Return the id of the snapshot whose manifest has this key."""
    return key.rpartition("/")[2][:_ID]


async def add(target: ObjectStore, manifest: Manifest) -> Snapshot:
    """Put a manifest, with which its snapshot is there."""
    key = new_key(KIND)
    data = manifest.encode()
    await target.put(key, once(data), size=len(data))
    return Snapshot(key, manifest)


async def keys_of(target: ObjectStore) -> list[str]:
    """Return the keys of all manifests."""
    return [info.key async for info in target.list(f"{KIND}/")]


async def read(target: ObjectStore, key: str) -> Snapshot:
    """Read a manifest; raises `BackupError` for a damaged one."""
    try:
        async with target.open(key) as reader:
            data = b"".join([chunk async for chunk in reader])
        return Snapshot(key, Manifest.decode(data))
    except ObjectNotFound:
        raise BackupError(f"{key} is gone") from None
    except BackupError as error:
        raise BackupError(f"the manifest {key} {error}") from None


async def read_all(target: ObjectStore) -> list[Snapshot]:
    """Return all snapshots, the newest first; raises `BackupError` if a manifest is damaged."""
    found = [await read(target, key) for key in await keys_of(target)]
    return sorted(found, key=lambda snapshot: snapshot.manifest.taken_at, reverse=True)


async def find(target: ObjectStore, wanted: str | None) -> Snapshot:
    """Return the snapshot whose id begins as ``wanted``, or the newest; raises `BackupError`."""
    if wanted is None:
        found = await read_all(target)
        if not found:
            raise BackupError("there is no snapshot in the source")
        return found[0]
    keys = [key for key in await keys_of(target) if key.rpartition("/")[2].startswith(wanted)]
    if len(keys) != 1:
        raise BackupError(f"{len(keys)} snapshots have an id that begins with {wanted!r}")
    return await read(target, keys[0])
