"""A service that a few blobs are in, and folders to back it up into."""

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.backup import restoring, snapshots
from app.backup.making import Made, make
from app.config import Settings
from app.database.migrate import migrate
from storage.local import LocalStore
from tests import sharing
from tests.api.conftest import Service, _settings, running
from tests.faults import FaultyStore

LARGE = b"large " * 10_000


@dataclass
class House:
    """A service on SQLite and a disk, with a store between it and its backups that can fail."""

    service: Service
    store: FaultyStore
    target: FaultyStore
    folder: Path
    """Of the target."""

    async def put(self, name: str, data: bytes) -> None:
        client, headers = self.service.client, self.service.service_token
        put = await client.put(f"/v1/blobs/{name}/content", content=data, headers=headers)
        assert put.is_success, put.text

    async def delete(self, name: str) -> None:
        client, headers = self.service.client, self.service.service_token
        assert (await client.delete(f"/v1/blobs/{name}", headers=headers)).status_code == 204

    async def back_up(self, *, with_key: bool = False) -> Made:
        service = self.service
        return await make(
            service.settings,
            service.runtime.parts.database,
            self.store,
            self.target,
            with_key=with_key,
        )

    async def snapshots(self) -> list[snapshots.Snapshot]:
        return await snapshots.read_all(self.target)

    async def objects(self) -> set[str]:
        """Return the keys of what the target has of the service's store."""
        return {info.key async for info in self.target.list("blobs/")}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A service that keeps a large blob and a small one."""
    shutil.copytree(sharing.data_folder(), tmp_path / "data")
    folder = tmp_path / "backup"
    target = FaultyStore(LocalStore(folder))
    async with running(_settings(tmp_path / "data")) as service:
        made = House(service, FaultyStore(service.runtime.parts.store), target, folder)
        await made.put("large", LARGE)
        await made.put("small", b"small")
        yield made
    await target.aclose()


@dataclass
class Empty:
    """An installation that was never started."""

    settings: Settings
    store: FaultyStore

    async def restore(self, house: House, snapshot: snapshots.Snapshot) -> restoring.Restored:
        await migrate(self.settings)
        return await restoring.restore(self.settings, house.target, self.store, snapshot.manifest)

    def path(self, key: str) -> Path:
        return self.settings.objects_path / key


@pytest.fixture
async def empty(tmp_path: Path) -> AsyncIterator[Empty]:
    """An installation that was never started, on SQLite and a disk."""
    settings: Any = _settings(tmp_path / "other")
    store = FaultyStore(LocalStore(settings.objects_path))
    yield Empty(settings, store)
    await store.aclose()
