"""A store that isn't there: at a start, and while a service runs, on every storage."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.servers import PostgresServer
from tests.system.conftest import Inspect, MakeSettings, Settings, Start, StartFork
from tests.system.processes import DEADLINE, PROJECT, ForkDied, Service, wait_for
from tests.system.stores import s3_client

pytestmark = pytest.mark.slow

LARGE = bytes(range(256)) * 400  # 100 KiB, and so in the store
DAY = 24 * 3600
STORAGES = pytest.mark.parametrize("storage", ["local", "s3", "database"])
MOUNT = """
mount --bind "$DISKS/objects" "$LOCAL_STORAGE_PATH" &&
mount --bind "$DISKS/dumps" "$DUMPS_BASE_DIR" && exec "$@"
"""


def put(service: Service, name: str) -> int:
    answer = service.client.put(f"/v1/blobs/{name}/content", content=name.encode() + LARGE)
    if answer.status_code == 503:
        assert int(answer.headers["retry-after"]) > 0
    return answer.status_code


def get(service: Service, name: str) -> int:
    answer = service.client.get(f"/v1/blobs/{name}/content")
    assert not answer.is_success or answer.content == name.encode() + LARGE
    return answer.status_code


def storage_check(service: Service) -> tuple[int, Any]:
    answer = service.client.get("/readyz")
    return answer.status_code, answer.json()["checks"]["storage"]["status"]


class Objects:
    """What holds a service's objects, to be taken away and given back."""

    def __init__(self, settings: Settings, request: pytest.FixtureRequest) -> None:
        self._settings = settings
        self._request = request
        self._kept: dict[str, bytes] = {}

    def take_away(self) -> None:
        match self._settings.get("ACTIVE_STORAGE", "local"):
            case "local":
                self._folder.rename(self._folder.with_name("unmounted"))
                self._folder.mkdir()
            case "s3":
                with closing(s3_client(self._settings)) as client:
                    bucket = self._settings["S3_BUCKET_NAME"]
                    for entry in client.list_objects_v2(Bucket=bucket)["Contents"]:
                        body = client.get_object(Bucket=bucket, Key=entry["Key"])["Body"]
                        self._kept[entry["Key"]] = body.read()
                        client.delete_object(Bucket=bucket, Key=entry["Key"])
            case _:
                self._sql("ALTER SCHEMA holdall_store RENAME TO unmounted")

    def give_back(self) -> None:
        match self._settings.get("ACTIVE_STORAGE", "local"):
            case "local":
                shutil.rmtree(self._folder)
                self._folder.with_name("unmounted").rename(self._folder)
            case "s3":
                with closing(s3_client(self._settings)) as client:
                    bucket = self._settings["S3_BUCKET_NAME"]
                    for key, data in self._kept.items():
                        client.put_object(Bucket=bucket, Key=key, Body=data)
            case _:
                self._sql("DROP SCHEMA IF EXISTS holdall_store CASCADE")
                self._sql("ALTER SCHEMA unmounted RENAME TO holdall_store")

    @property
    def _folder(self) -> Path:
        return Path(self._settings["DATA_DIR"]) / "objects"

    def _sql(self, statement: str) -> None:
        server: PostgresServer = self._request.getfixturevalue("postgres_server")
        server.execute(
            f"SET client_min_messages = error; {statement}", self._settings["DATABASE_URL"]
        )


@STORAGES
def test_a_start_without_the_store_stops_and_says_what_is_missing(
    make_settings: MakeSettings,
    start_fork: StartFork,
    request: pytest.FixtureRequest,
    storage: str,
) -> None:
    settings = make_settings(storage)
    objects = Objects(settings, request)
    service, _ = start_fork(settings)
    assert put(service, "kept") == 201
    service.stop()
    objects.take_away()
    for arguments in ((), ("fsck", "--repair")):
        refused, process = start_fork(settings, *arguments, ready=False)
        assert process.wait(DEADLINE) != 0
        (line,) = [line for line in refused.log.splitlines() if "is missing" in line]
        assert "Traceback" not in refused.log
        assert "instance/0/0/" in line
        assert "docs/operating.md" in line
        assert refused.printed == ""
    if storage == "local":
        assert "LOCAL_STORAGE_PATH" in line
        assert [*(Path(settings["DATA_DIR"]) / "objects").iterdir()] == []
    objects.give_back()
    again, _ = start_fork(settings)
    assert get(again, "kept") == 200


@STORAGES
def test_a_lost_store_can_be_given_up(
    make_settings: MakeSettings,
    start_fork: StartFork,
    inspect: Inspect,
    request: pytest.FixtureRequest,
    storage: str,
) -> None:
    settings = make_settings(storage)
    service, _ = start_fork(settings)
    assert put(service, "lost") == 201
    key = inspect(settings).store.key_of(b"lost" + LARGE)
    service.stop()
    Objects(settings, request).take_away()
    fsck, process = start_fork(settings, "fsck", "--adopt", ready=False)
    assert process.wait(DEADLINE) == 1
    assert fsck.printed.splitlines() == [f"missing: {key}", "0 objects; 0 orphans deleted"]
    service, _ = start_fork(settings)
    assert get(service, "lost") == 500
    assert put(service, "new") == 201
    assert get(service, "new") == 200


@STORAGES
def test_a_store_that_vanishes_is_unavailable_until_it_is_back(
    make_settings: MakeSettings,
    start_fork: StartFork,
    inspect: Inspect,
    request: pytest.FixtureRequest,
    storage: str,
) -> None:
    settings = make_settings(storage)
    objects, inside = Objects(settings, request), inspect(settings)
    service, process = start_fork(settings)
    for name in ("kept", "deleted"):
        assert put(service, name) == 201
    objects.take_away()
    wait_for(lambda: storage_check(service) == (503, "failed"))
    assert (put(service, "new"), get(service, "kept")) == (503, 503)
    assert service.client.delete("/v1/blobs/deleted").status_code == 204
    process.ask("pass_time", DAY, "sweep", "reconcile")
    for task in ("sweep", "reconcile"):
        wait_for(lambda: has_failed(service, task))  # noqa: B023
    assert inside.rows()[0] == 1
    assert inside.rows()[2] >= 1, "what is to be deleted is forgotten"
    assert not any("differ" in event["event"] for event in service.events)
    objects.give_back()
    wait_for(lambda: storage_check(service) == (200, "ok"))
    assert (get(service, "kept"), put(service, "new"), get(service, "new")) == (200, 201, 200)
    process.ask("pass_time", DAY, "sweep")
    wait_for(lambda: inside.rows() == [2, 0, 0])
    assert inside.store.contents().total() == 2


def has_failed(service: Service, task: str) -> bool:
    return any(
        event.get("task") == task and "will be tried again" in event["event"]
        for event in service.events
    )


@pytest.fixture
def mounted(make_settings: MakeSettings, tmp_path: Path) -> Settings:
    """Settings of a service whose objects and dumps lie on disks of their own."""
    disks = tmp_path / "disks"
    settings = make_settings("local", DISKS=str(disks))
    for kind, name in (("objects", "LOCAL_STORAGE_PATH"), ("dumps", "DUMPS_BASE_DIR")):
        (disks / kind).mkdir(parents=True)
        settings[name] = str(tmp_path / kind)
        (tmp_path / kind).mkdir()
    return settings


class Mounts:
    """The mounts of a service, in its namespace."""

    def __init__(self, service: Service, settings: Settings) -> None:
        self._enter = ["nsenter", "-U", "-m", "--preserve-credentials", "-t", str(service.pid)]
        self._settings = settings

    def take_away(self, name: str) -> None:
        self._run("umount", "-l", self._settings[name])

    def give_back(self, name: str, kind: str) -> None:
        self._run("mount", "--bind", f"{self._settings['DISKS']}/{kind}", self._settings[name])

    def _run(self, *command: str) -> None:
        subprocess.run([*self._enter, *command], check=True)


@pytest.mark.skipif(
    subprocess.run(["unshare", "-Urm", "true"], check=False).returncode != 0,
    reason="needs user and mount namespaces",
)
@pytest.mark.parametrize("below", ["nothing", pytest.param("a store", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "vanishing", ["LOCAL_STORAGE_PATH", pytest.param("DUMPS_BASE_DIR", marks=pytest.mark.slow)]
)
def test_a_disk_that_is_unmounted_under_a_service(
    mounted: Settings, start: Start, vanishing: str, below: str
) -> None:
    """Whatever lies under the mount point, such as what a start without the disk once made."""
    dumps = vanishing == "DUMPS_BASE_DIR"
    bottom = Path(mounted[vanishing])
    if below == "a store":
        (bottom / ".staging").mkdir()
        (bottom / ".staging" / "probe").touch()
    before = sorted(bottom.rglob("*"))
    program = [sys.executable, str(PROJECT / "main.py")]
    service = start(mounted, command=["unshare", "-Urm", "sh", "-c", MOUNT, "sh", *program])
    disk = Mounts(service, mounted)

    def submit() -> int:
        if not dumps:
            return put(service, "object")
        return service.client.post("/v1/dumps", files={"file": ("a.dmp", LARGE)}).status_code

    def fetch() -> int:
        if not dumps:
            return get(service, "object")
        (dump, *_) = service.client.get("/v1/dumps").json()["items"]
        return service.client.get(f"/v1/dumps/{dump['id']}/content").status_code

    assert (submit(), fetch()) == (201, 200)
    disk.take_away(vanishing)
    assert storage_check(service) == (503, "failed")
    assert (submit(), fetch()) == (503, 503)
    assert sorted(bottom.rglob("*")) == before, "something was put below the mount point"
    if dumps:
        assert put(service, "on another disk") == 201
    disk.give_back(vanishing, "dumps" if dumps else "objects")
    wait_for(lambda: storage_check(service) == (200, "ok"))
    assert (fetch(), submit(), fetch()) == (200, 200 if not dumps else 201, 200)


class Backup:
    """A copy of a service's SQLite file, to be restored."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._path = Path(settings["DATA_DIR"]) / "holdall.db"
        self._copy = folder / "backup.db"
        with (
            closing(sqlite3.connect(self._path)) as source,
            closing(sqlite3.connect(self._copy)) as target,
        ):
            source.backup(target)

    def restore(self) -> None:
        for path in self._path.parent.glob("holdall.db*"):
            path.unlink()
        shutil.copy(self._copy, self._path)


def test_a_restored_database_deletes_nothing_that_came_after_it(
    make_settings: MakeSettings, start_fork: StartFork, inspect: Inspect, tmp_path: Path
) -> None:
    settings = make_settings("local")
    inside = inspect(settings)
    service, process = start_fork(settings)
    assert put(service, "older") == 201
    wait_for(lambda: inside.store.generation() == inside.generation() > 1)
    backup = Backup(settings, tmp_path)
    first = inside.generation()
    process.ask("pass_time", DAY, "generation")
    wait_for(lambda: inside.store.generation() == inside.generation() == first + 1)
    assert put(service, "newer") == 201
    newer = inside.store.key_of(b"newer" + LARGE)
    service.stop()
    backup.restore()

    fsck, process = start_fork(settings, "fsck", "--repair", ahead=3 * DAY, ready=False)
    assert process.wait(DEADLINE) == 1
    assert f"generation {first}, the store's is {first + 1}" in fsck.log
    assert "docs/operating.md" in fsck.log
    assert len(fsck.log.splitlines()) == 1
    assert newer in inside.store.digests()
    service, process = start_fork(settings, ahead=3 * DAY)
    wait_for(lambda: has_failed(service, "generation"))
    assert inside.generation() == first, "it must not catch up by itself"
    assert service.client.delete("/v1/blobs/older").status_code == 204
    wait_for(lambda: has_failed(service, "sweep"))
    assert inside.rows() == [0, 0, 1]
    assert inside.store.contents().total() == 2
    service.stop()

    fsck, process = start_fork(settings, "fsck", "--adopt", "--repair", ahead=3 * DAY, ready=False)
    assert process.wait(DEADLINE) == 0
    assert fsck.printed.splitlines() == [f"orphans: {newer}", "1 objects; 1 orphans deleted"]
    service, process = start_fork(settings, ahead=4 * DAY)
    wait_for(lambda: inside.rows() == [0, 0, 0])
    assert not inside.store.contents()
    wait_for(lambda: inside.store.generation() == inside.generation() > first + 1)


@pytest.mark.slow
def test_a_crash_while_the_generation_is_raised_makes_no_database_older(
    make_settings: MakeSettings, start_fork: StartFork, inspect: Inspect
) -> None:
    """On local disk alone: the order of things is the same on every storage."""
    settings = make_settings("local")
    inside = inspect(settings)
    killed: list[str] = []
    before = 1
    step = 0
    for day in range(1, 100):
        step += 1
        service, process = start_fork(settings, ahead=2 * day * DAY)  # so that it is due at once

        def is_raised() -> bool:
            return inside.generation() == inside.store.generation() > before  # noqa: B023

        wait_for(is_raised)
        before = inside.generation()
        process.ask("arm", step)
        with suppress(ForkDied):
            process.ask("pass_time", DAY, "generation")
        wait_for(lambda: process.poll() is not None or is_raised())  # noqa: B023
        survived = process.poll() is None
        service.kill()
        assert inside.store.generation() <= inside.generation()
        before = inside.generation()
        ahead = (2 * day + 1) * DAY
        fsck, process = start_fork(settings, "fsck", "--repair", ahead=ahead, ready=False)
        assert process.wait(DEADLINE) == 0, fsck.log
        killed += [line for line in service.log.splitlines() if line.startswith("killed at")]
        if survived and any("after the commit of _advance" in line for line in killed):
            return
        if survived:
            step = 0  # other tasks took steps in between, and it was not among those of this round
    pytest.fail(f"the step in question was not among {killed}")
