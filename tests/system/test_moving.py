"""Objects move from one storage to another while the service runs; the previous one may then go."""

import hashlib
import itertools
import re
import shutil
from pathlib import Path

import pytest

from tests.system.conftest import MakeSettings, Run, Settings, Start, StartFork, bucket_of_its_own
from tests.system.processes import DEADLINE, Service, wait_for
from tests.system.stores import LocalDisk

pytestmark = pytest.mark.slow

LARGE = 100_000  # bytes, and so in the store
MIB = 1024 * 1024
LEFT = re.compile(r'^holdall_move_left_objects\{previous="\w+"\} (\S+)$', re.MULTILINE)


def body(name: str, size: int = LARGE) -> bytes:
    seed = hashlib.sha256(name.encode()).digest()
    return (seed * (size // len(seed) + 1))[:size]


def put(service: Service, name: str, size: int = LARGE) -> None:
    answer = service.client.put(f"/v1/blobs/{name}/content", content=body(name, size))
    assert answer.status_code == 201, answer.text


def get(service: Service, name: str, size: int = LARGE) -> None:
    answer = service.client.get(f"/v1/blobs/{name}/content")
    assert answer.content == body(name, size), answer.status_code


def delete(service: Service, name: str) -> None:
    assert service.client.delete(f"/v1/blobs/{name}").status_code == 204


def status(service: Service, name: str) -> int:
    return service.client.get(f"/v1/blobs/{name}/content").status_code


def left(service: Service) -> float | None:
    """Return how many objects the service says are to be copied; None: it doesn't know."""
    found = LEFT.search(service.client.get("/metrics").text)
    return None if found is None else float(found[1])


@pytest.fixture
def former(make_settings: MakeSettings, tmp_path: Path) -> Settings:
    """A service on SQLite and local disk, with a folder for dumps."""
    return make_settings("local", DUMPS_BASE_DIR=str(tmp_path / "dumps"))


@pytest.fixture
def latter(former: Settings, request: pytest.FixtureRequest) -> Settings:
    """The same, whose objects go to S3."""
    kept = {name: value for name, value in former.items() if name != "DUMPS_BASE_DIR"}
    return kept | {
        "ACTIVE_STORAGE": "s3",
        **bucket_of_its_own(request.getfixturevalue("s3_server")),
    }


@pytest.fixture
def both(former: Settings, latter: Settings) -> Settings:
    """The same while they move there."""
    previous = {"PREVIOUS_STORAGE": "local", "PREVIOUS_DUMPS_BASE_DIR": former["DUMPS_BASE_DIR"]}
    return latter | previous


def test_objects_move_to_s3_while_the_service_runs(
    former: Settings, latter: Settings, both: Settings, start: Start, run: Run
) -> None:
    sizes = {"small": 100, "large": LARGE, "huge": 20 * MIB}
    service = start(former)
    for name, size in (sizes | {"gone": LARGE, "harmed": LARGE}).items():
        put(service, name, size)
    dump = service.client.post("/v1/dumps", files={"file": ("a.dmp", body("dump"))})
    assert dump.status_code == 201, dump.text
    service.stop()
    disk = LocalDisk(former)
    disk.overwrite(disk.key_of(body("harmed")), body("other"))

    service = start(both)
    put(service, "later")
    delete(service, "gone")
    for name, size in sizes.items():
        get(service, name, size)
    wait_for(lambda: left(service) == 1)
    told = run(both, "moved")
    assert told.returncode == 1, told.stderr
    assert told.stdout == f"objects left in the previous store: 1 ({LARGE} bytes)\n"
    delete(service, "harmed")
    told = run(both, "moved")
    assert (told.returncode, told.stderr) == (0, "")
    assert "unset PREVIOUS_STORAGE" in told.stdout
    service.stop()

    for folder in (Path(former["DATA_DIR"]) / "objects", Path(former["DUMPS_BASE_DIR"])):
        shutil.rmtree(folder)
    service = start(latter)
    for name, size in sizes.items():
        get(service, name, size)
    get(service, "later")
    assert status(service, "gone") == 404
    content = service.client.get(f"/v1/dumps/{dump.json()['id']}/content")
    assert content.content == body("dump")
    fsck = run(latter, "fsck", "--checksums")
    assert fsck.returncode == 0, fsck.stdout
    assert run(latter, "moved").returncode == 0


@pytest.mark.slow
def test_a_thousand_objects_move_amid_writes_and_deletes(
    former: Settings,
    latter: Settings,
    both: Settings,
    start: Start,
    start_fork: StartFork,
    run: Run,
) -> None:
    """What was acknowledged is in the new store alone when the previous one is gone."""
    sizes = [20_000, 70_000, 300_000, 1_500_000]
    names = {f"early{number}": sizes[number % len(sizes)] for number in range(1000)}
    service = start(former)
    for name, size in names.items():
        put(service, name, size)
    service.stop()
    service = start(both, MOVE_RATE=str(8 * MIB))
    deleted: set[str] = set()
    asked = iter([*names])
    for number in itertools.count():
        if left(service) == 0:
            break
        name = f"late{number}"
        put(service, name, size := sizes[number % len(sizes)])
        names[name] = size
        if (victim := next(asked, None)) is not None:
            delete(service, victim)
            deleted.add(victim)
        get(service, name, size)
    assert len(deleted) > 20, "it was over at once"
    assert run(both, "moved").returncode == 0
    service.stop()
    for folder in (Path(former["DATA_DIR"]) / "objects", Path(former["DUMPS_BASE_DIR"])):
        shutil.rmtree(folder)
    service = start(latter)
    for name, size in names.items():
        if name in deleted:
            assert status(service, name) == 404
        else:
            get(service, name, size)
    service.stop()
    checked, fsck = start_fork(latter, "fsck", "--checksums", ahead=2 * 24 * 3600, ready=False)
    assert fsck.wait(DEADLINE) == 0, checked.printed


@pytest.mark.slow
@pytest.mark.parametrize(("source", "target"), [("database", "s3"), ("s3", "database")])
def test_objects_move_between_servers(
    make_settings: MakeSettings, start: Start, run: Run, source: str, target: str
) -> None:
    former, other = make_settings(source), make_settings(target)
    sizes = {"large": LARGE, "huge": 20 * MIB}
    service = start(former)
    for name, size in sizes.items():
        put(service, name, size)
    service.stop()
    kept = {name: former[name] for name in ("DATA_DIR", "DATABASE_URL", "SIGNING_KEY")}
    latter = other | kept
    previous = {f"PREVIOUS_{name}": value for name, value in former.items() if "S3_" in name}
    service = start(latter | previous, PREVIOUS_STORAGE=source)
    put(service, "later")
    wait_for(lambda: left(service) == 0)
    service.stop()
    service = start(latter)
    for name, size in (sizes | {"later": LARGE}).items():
        get(service, name, size)
    refused = run(former, "fsck")
    assert refused.returncode == 1
    assert "PREVIOUS_STORAGE: missing" in refused.stderr
    fsck = run(latter, "fsck", "--checksums")
    assert fsck.returncode == 0, fsck.stdout
