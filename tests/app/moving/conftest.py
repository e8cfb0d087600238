"""A database whose objects are in one store, and move to another."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select

from app import clock
from app.accounts import bootstrap
from app.accounts.tables import accounts
from app.config import Settings
from app.database import Database, instance
from app.database.instance import MARKS, PART_MARKS
from app.moving import marks
from app.moving.task import Move
from app.objects import removal
from app.objects.tables import object_segments, objects
from app.security.passwords import Passwords
from app.tasks.sweep import Sweep
from storage.base import new_key
from storage.conformance.bodies import chunked
from storage.local import LocalStore
from storage.moving import MovingStore
from tests.faults import FaultyStore


@dataclass
class House:
    """The database, and both stores, whose calls can fail and are counted."""

    settings: Settings
    database: Database
    new: FaultyStore
    previous: FaultyStore
    folder: Path
    woken: list[None] = field(default_factory=list)

    @property
    def store(self) -> MovingStore:
        return MovingStore(self.new, self.previous)

    def task(self) -> Move:
        """Make the task as a process has it."""
        wake = lambda: self.woken.append(None)  # noqa: E731
        return Move(self.settings, self.database, self.store, wake_sweep=wake)

    def sweep(self) -> Sweep:
        return Sweep(self.database, self.store, moving=True)

    async def put(self, size: int = 1000) -> str:
        """Put an object as it was before the move."""
        key, data = new_key("blobs"), _bytes(size)
        await self.previous.inner.put(key, chunked(data, 1 << 20), size=size)
        await self.database.write(_note, key, data)
        return key

    async def put_segments(self, sizes: list[int]) -> list[str]:
        """Put an object in segments as it was before the move."""
        keys = [new_key("blobs") for _ in sizes]
        for key, size in zip(keys, sizes, strict=True):
            await self.previous.inner.put(key, chunked(_bytes(size), 1 << 20), size=size)
        await self.database.write(_note_segments, keys, sizes)
        return keys

    async def delete(self, key: str) -> None:
        """Delete an object, whose bytes are left to the sweep."""
        await self.database.write(_remove, key)

    async def copied(self) -> set[str]:
        """Return what the new store has, but for marks."""
        return await _keys(self.new)

    async def kept(self) -> set[str]:
        """Return what the previous store has, but for marks."""
        return await _keys(self.previous)

    async def is_over(self) -> bool:
        """Tell whether the new store is marked as the whole one."""
        return {*MARKS} <= {info.key async for info in self.new.inner.list()}

    def path(self, store: str, key: str) -> Path:
        """Return where an object's file is."""
        return self.folder / store / key


async def _keys(store: FaultyStore) -> set[str]:
    return {info.key async for info in store.inner.list() if not instance.is_mark(info.key)}


def _bytes(size: int) -> bytes:
    return (b"%d " % size * (size // 2 + 1))[:size]


def _note(connection: Connection, key: str, data: bytes) -> None:
    connection.execute(insert(objects), [_row(connection, key, data)])


def _row(connection: Connection, key: str | None, data: bytes) -> dict[str, object]:
    return {
        "account_id": connection.execute(select(accounts.c.id)).scalars().first(),
        "kind": "blobs",
        "key": key,
        "state": "ready",
        "size": len(data),
        "sha256": hashlib.sha256(data).digest(),
        "charged_bytes": 0,
        "charged_slots": 0,
        "created_at": clock.now() - 48 * 3600 * clock.SECOND,
    }


def _note_segments(connection: Connection, keys: list[str], sizes: list[int]) -> None:
    whole = b"".join(map(_bytes, sizes))
    made = insert(objects).values(_row(connection, None, whole)).returning(objects.c.id)
    object_id = connection.execute(made).scalar_one()
    for n, (key, size) in enumerate(zip(keys, sizes, strict=True)):
        digest = hashlib.sha256(_bytes(size)).digest()
        values = {"object_id": object_id, "n": n, "key": key, "size": size, "sha256": digest}
        connection.execute(insert(object_segments).values(values))


def _remove(connection: Connection, key: str) -> None:
    object_id = connection.execute(select(objects.c.id).where(objects.c.key == key)).scalar_one()
    removal.remove(connection, object_id, due_at=clock.now())


@pytest.fixture
async def house(database: Database, passwords: Passwords, tmp_path: Path) -> AsyncIterator[House]:
    """A move that has begun, with nothing to copy yet."""
    settings = Settings(data_dir=tmp_path, sqlite_path=tmp_path / "test.db", _env_file=None)
    await database.write(instance.identify, "an-id")
    await bootstrap.prepare(database, passwords, settings)
    previous, new = (FaultyStore(LocalStore(tmp_path / name)) for name in ("previous", "new"))
    await instance.bind(settings, database, previous, instance.Instance("an-id", 0))
    await marks.begin(settings, database, new, previous, "an-id")
    for store in (new, previous):
        assert {info.key async for info in store.list()} == {*PART_MARKS}
    yield House(settings, database, new, previous, tmp_path)
    await new.aclose()
    await previous.aclose()
