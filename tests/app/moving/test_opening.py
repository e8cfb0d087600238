"""Opening the stores of a move: which of them go together, and when one will do."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app import clock
from app.config import ConfigError, Settings, load_settings
from app.database import Database, generations
from app.moving.marks import finish
from app.moving.task import Move
from app.stores import open_store
from storage.base import ObjectStore
from storage.conformance.hooks import fetch, make
from storage.disk import Disk
from storage.errors import StoreUnavailable, StoreUnmarked
from storage.moving import MovingStore

pytestmark = pytest.mark.anyio


@dataclass
class Places:
    """A database, and folders for objects; each has a folder of its own for dumps."""

    database: Database
    folder: Path

    def settings(self, active: str, previous: str | None = None, **options: str) -> Settings:
        found: dict[str, Any] = {
            "data_dir": self.folder,
            "local_storage_path": self.folder / active,
            "dumps_base_dir": self.folder / f"{active}-dumps",
        }
        if previous is not None:
            found |= {
                "previous_storage": "local",
                "previous_local_storage_path": self.folder / previous,
                "previous_dumps_base_dir": self.folder / f"{previous}-dumps",
            }
        return load_settings(found | options | {"_env_file": None})

    @asynccontextmanager
    async def opened(
        self, active: str, previous: str | None = None, *, adopt: bool = False
    ) -> AsyncIterator[ObjectStore]:
        settings = self.settings(active, previous)
        async with AsyncExitStack() as stack:
            yield await open_store(stack, settings, self.database, adopt=adopt)

    async def refused(self, active: str, previous: str | None = None) -> str:
        """Return the message of a start that is refused."""
        with pytest.raises((ConfigError, StoreUnmarked)) as caught:
            async with self.opened(active, previous):
                pass
        return str(caught.value)

    async def finish(self, active: str, previous: str) -> None:
        """Mark the new store as the whole one, as when all has been copied."""
        async with self.opened(active, previous) as store:
            assert isinstance(store, MovingStore)
            assert await finish(self.settings(active, previous), self.database, store)
            assert not await finish(self.settings(active, previous), self.database, store)


@pytest.fixture
async def places(database: Database, tmp_path: Path) -> Places:
    """A database that has a store in one of the folders, and objects in it."""
    places = Places(database, tmp_path)
    async with places.opened("first"):
        pass
    return places


async def test_neither_store_will_do_alone_until_all_is_copied(places: Places) -> None:
    async with places.opened("second", "first") as store:
        key, data = await make(store, 5)
    for alone in ("first", "second"):
        message = await places.refused(alone)
        assert message.startswith("PREVIOUS_STORAGE: missing")
        assert "docs/operating.md" in message
    async with places.opened("second", "first") as store:
        assert await fetch(store, key) == data
    await places.finish("second", "first")
    async with places.opened("second") as store:
        assert not isinstance(store, MovingStore)
        assert await fetch(store, key) == data
    assert (await places.refused("first")).startswith("PREVIOUS_STORAGE: missing")


async def test_there_is_a_way_back(places: Places) -> None:
    async with places.opened("second", "first") as store:
        early, _ = await make(store, 5)
    async with places.opened("first", "second") as store:  # amid the move
        await store.stat(early)
        assert isinstance(store, MovingStore)
        await finish(places.settings("first", "second"), places.database, store)
    async with places.opened("first"):
        pass
    async with places.opened("second", "first"):
        pass
    await places.finish("second", "first")
    async with places.opened("first", "second") as store:  # and after it
        await store.stat(early)
    assert (await places.refused("second")).startswith("PREVIOUS_STORAGE: missing")
    await places.finish("first", "second")
    async with places.opened("first"):
        pass


async def test_a_process_with_former_settings_takes_nothing_more(places: Places) -> None:
    async with places.opened("first") as former:
        key, data = await make(former, 5)
        async with places.opened("second", "first") as store:
            later, _ = await make(store, 6)
            with pytest.raises(StoreUnavailable):
                await make(former, 7)
            with pytest.raises(StoreUnavailable):
                await former.stat(later)
            with pytest.raises(StoreUnavailable):
                await former.delete([later])
            assert await fetch(former, key) == await fetch(store, key) == data


async def test_the_generation_comes_along(places: Places) -> None:
    async with places.opened("first") as store:
        await generations.raise_generation(places.database, store)
    async with places.opened("second", "first") as store:
        assert await generations.stored_generation(store) == 2
    await places.finish("second", "first")
    async with places.opened("second") as store:
        assert await generations.stored_generation(store) == 3
        await generations.require_current(places.database, store)


async def test_a_store_that_is_not_there_is_named_and_not_made(places: Places) -> None:
    message = await places.refused("second", "elsewhere")
    assert message.startswith("PREVIOUS_LOCAL_STORAGE_PATH or PREVIOUS_DUMPS_BASE_DIR: ")
    assert not (places.folder / "elsewhere").exists()
    assert not (places.folder / "second").exists()
    async with places.opened("second", "first"):
        pass
    for active, previous in (("third", "first"), ("second", "third")):
        assert " is missing, which this database's store has" in await places.refused(
            active, previous
        )
        assert not (places.folder / "third").exists()
    (places.folder / "first-dumps").rename(places.folder / "unmounted")
    assert "dumps/f/f/" in await places.refused("second", "first")
    assert not (places.folder / "first-dumps").exists()


async def test_the_store_of_another_database_is_refused(places: Places, tmp_path: Path) -> None:
    from app.database.schema import metadata
    from app.database.sqlite.connections import create_sqlite_engine
    from app.database.sqlite.database import SqliteDatabase

    engine = create_sqlite_engine(tmp_path / "other.db")
    metadata.create_all(engine)
    engine.dispose()
    other = Places(SqliteDatabase(tmp_path / "other.db"), tmp_path)
    message = await other.refused("second", "first")
    assert message == "PREVIOUS_STORAGE: this database is new, so it has no previous store"
    async with other.opened("others"):
        pass
    assert (await other.refused("second", "first")).startswith("PREVIOUS_STORAGE: the store belong")
    assert (await places.refused("others", "first")).startswith("ACTIVE_STORAGE: the store belongs")
    async with places.opened("first"), other.opened("others"):
        pass
    await other.database.aclose()


async def test_a_store_that_is_lost_amid_the_move_can_be_given_up(places: Places) -> None:
    async with places.opened("second", "first") as store:
        key, _ = await make(store, 5)
    async with places.opened("second", adopt=True) as store:
        await store.stat(key)
    async with places.opened("second"):
        pass


async def test_a_disk_whose_reserve_is_used_up_can_be_left(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = Disk.free

    def free_of(disk: Disk) -> int:
        return free(disk) if "second" in str(disk._folder) else -1

    monkeypatch.setattr(Disk, "free", free_of)
    async with places.opened("second", "first") as store:
        await make(store, 5)


async def test_a_second_move_begins_with_no_figures_of_the_first(places: Places) -> None:
    async with places.opened("second", "first") as store:
        assert isinstance(store, MovingStore)
        task = Move(
            places.settings("second", "first"), places.database, store, wake_sweep=lambda: None
        )
        now = clock.now()
        await task.run_once(now)
        due = await task.next_due(now)
        assert due is not None
        assert due > now
    async with places.opened("third", "second"):
        assert await task.next_due(now) == now


def test_the_same_place_twice_is_no_move(tmp_path: Path) -> None:
    places = Places(None, tmp_path)  # type: ignore[arg-type]
    s3 = {"s3_access_key_id": "k", "s3_secret_access_key": "s", "s3_bucket_name": "b"}
    former = {f"previous_{name}": value for name, value in s3.items()}
    same = [
        {"previous_storage": "local"},
        {"active_storage": "s3", "previous_storage": "s3", **s3, **former},
    ]
    for options in same:
        with pytest.raises(ConfigError, match="PREVIOUS_STORAGE: this is where ACTIVE_STORAGE is"):
            load_settings({"data_dir": tmp_path, "_env_file": None, **options})
    other = same[1] | {"previous_s3_bucket_name": "c"}
    assert load_settings({"data_dir": tmp_path, "_env_file": None, **other}).previous is not None
    with pytest.raises(ConfigError, match="PREVIOUS_S3_BUCKET_NAME: missing"):
        places.settings("first", "first", previous_storage="s3")
    with pytest.raises(ConfigError, match="DATABASE_URL: missing; needed for PREVIOUS_STORAGE"):
        places.settings("first", "first", previous_storage="database")
