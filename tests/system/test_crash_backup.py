"""Backup and restore are killed at every step: nothing is half there, and the next run goes on."""

import contextlib
import itertools
import shutil
import signal
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import servers
from tests.system.conftest import MakeSettings, Settings
from tests.system.lanes import LANES
from tests.system.processes import DEADLINE, Nursery, Service, furnish
from tests.system.stores import s3_client

pytestmark = pytest.mark.slow

LARGE = bytes(range(256)) * 400  # 100 KiB, and so in the store
NOT_SAVED = {"instance", "tombstones", "holds", "daily", "alembic_version"}


@dataclass
class House:
    """A service that has been stopped, with what is needed to run commands on it."""

    nursery: Nursery
    settings: Settings
    folder: Path

    def run(self, *arguments: str, fatal: int = 0, **settings: str) -> tuple[int, str]:
        """Run a command, which dies at a step; returns its status, and all that it printed."""
        output = self.folder / "command"
        fork = self.nursery.fork(self.settings | settings, output, *arguments, fatal=fatal)
        status = fork.wait(DEADLINE)
        printed = [output.with_suffix(suffix).read_text() for suffix in (".out", ".log")]
        return status, "".join(printed)

    def fill(self) -> None:
        """Let the service keep some blobs."""
        furnish(self.settings)
        output = self.folder / "service"
        service = Service(self.nursery.fork(self.settings, output), output)
        for name, data in (("large", LARGE), ("other", LARGE[::-1]), ("small", b"small")):
            assert service.client.put(f"/v1/blobs/{name}/content", content=data).is_success
        assert service.stop() == 0


def make_house(nursery: Nursery, settings: Settings, folder: Path) -> House:
    folder.mkdir()
    house = House(nursery, settings, folder)
    house.fill()
    return house


def in_lanes(make: Callable[[int], House], each: Callable[[House, int], bool]) -> None:
    """Do ``each`` for step after step, in lanes side by side, until it comes to the end."""

    numbers = range(1, LANES + 1)
    houses = [make(number) for number in numbers]  # fixtures are for one thread

    def run(house: House, number: int) -> int:
        for step in itertools.count(number, LANES):
            try:
                if each(house, step):
                    return step
            except AssertionError as error:
                error.add_note(f"at step {step}")
                raise
        raise AssertionError("unreachable")

    with ThreadPoolExecutor(LANES) as pool:
        steps = list(pool.map(run, houses, numbers))
    assert min(steps) > 50, "it was killed at few steps"


@pytest.mark.parametrize("target", ["folder", "s3"])
def test_a_backup_that_is_killed_leaves_whole_snapshots_and_the_next_goes_on(
    request: pytest.FixtureRequest,
    nursery: Nursery,
    make_settings: MakeSettings,
    tmp_path: Path,
    target: str,
) -> None:
    def make(number: int) -> House:
        settings = make_settings("local")
        if target == "s3":
            server: servers.S3Server = request.getfixturevalue("s3_server")
            settings |= {
                "S3_ENDPOINT_URL": server.endpoint_url,
                "S3_ACCESS_KEY_ID": server.access_key,
                "S3_SECRET_ACCESS_KEY": server.secret_key,
                "S3_REGION_NAME": server.region,
                "S3_BUCKET_NAME": server.create_bucket(),
            }
        return make_house(nursery, settings, tmp_path / f"lane{number}")

    def kill_at(house: House, step: int) -> bool:
        place = _fresh_target(house, target)
        status, said = house.run("backup", place, fatal=step)
        if status != -signal.SIGKILL:
            assert (status, "copied 2 " in said) == (0, True), said
            return True
        left, said = house.run("verify", place)
        assert left == 0 or "there is no snapshot" in said, said
        before = 0 if left else 1
        status, said = house.run("backup", place)
        assert status == 0, said
        status, said = house.run("verify", place)
        assert (status, said.partition(",")[0]) == (0, f"{before + 1} snapshots"), said
        return False

    in_lanes(make, kill_at)


def _fresh_target(house: House, kind: str) -> str:
    if kind == "folder":
        folder = house.folder / "backup"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return str(folder)
    bucket = house.settings["S3_BUCKET_NAME"]
    with closing(s3_client(house.settings)) as client:
        for found in client.list_objects_v2(Bucket=bucket).get("Contents", ()):
            client.delete_object(Bucket=bucket, Key=found["Key"])
    return f"s3://{bucket}/backups"


def rows(database: Path) -> dict[str, list[Any]]:
    """Return the rows of all tables that a snapshot has."""
    with closing(sqlite3.connect(database)) as connection:
        names = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
            " AND name NOT LIKE 'dumps_search%'"
        )
        return {
            name: connection.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall()
            for (name,) in names.fetchall()
            if name not in NOT_SAVED
        }


def test_a_restore_that_is_killed_is_run_again(
    nursery: Nursery, make_settings: MakeSettings, tmp_path: Path
) -> None:
    backups = tmp_path / "backups"
    backups.mkdir()
    source = make_house(nursery, make_settings("local"), tmp_path / "source")
    status, said = source.run("backup", str(backups))
    assert status == 0, said
    wanted = rows(Path(source.settings["DATA_DIR"]) / "holdall.db")

    def make(number: int) -> House:
        folder = tmp_path / f"lane{number}"
        folder.mkdir()
        return House(nursery, source.settings | {"DATA_DIR": str(folder / "data")}, folder)

    def kill_at(house: House, step: int) -> bool:
        data = Path(house.settings["DATA_DIR"])
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(data)
        status, said = house.run("restore", str(backups), fatal=step)
        is_whole = status != -signal.SIGKILL
        if not is_whole:
            status, said = house.run("restore", str(backups))
            assert status == 0 or "the database is not empty" in said, said
        status, said = house.run("fsck", "--checksums")
        assert (status, said) == (0, "2 objects; 0 orphans deleted\n")
        assert rows(data / "holdall.db") == wanted
        return is_whole

    in_lanes(make, kill_at)
