"""The commands of backups: what each prints and returns."""

import re
import shutil
from pathlib import Path

import pytest

from tests.system.conftest import MakeSettings, Run, Settings, Start

pytestmark = pytest.mark.slow

LARGE = bytes(range(256)) * 400  # 100 KiB, and so in the store
LINE = re.compile(
    r"([0-9a-f]{12}) of \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ: \d+ rows, 1 objects \(102400 bytes\)"
)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """An empty folder for backups."""
    (folder := tmp_path / "backups").mkdir()
    return folder


@pytest.fixture
def kept(make_settings: MakeSettings, start: Start) -> Settings:
    """Settings of a service that runs, and keeps a large blob and a small one."""
    settings = make_settings("local")
    client = start(settings).client
    for name, data in (("large", LARGE), ("small", b"small")):
        assert client.put(f"/v1/blobs/{name}/content", content=data).is_success
    return settings


def test_the_whole_way(
    kept: Settings, run: Run, start: Start, make_settings: MakeSettings, target: Path
) -> None:
    made = [run(kept, "backup", *flags, str(target)) for flags in ((), ("--with-key",), ())]
    assert [(done.returncode, done.stderr) for done in made] == [(0, "")] * 3
    printed = [done.stdout.strip() for done in made]
    assert printed[0].endswith("; copied 1 (102400 bytes)")
    assert printed[1].endswith(", with the signing keys; copied 0 (0 bytes)")
    ids = [LINE.match(line)[1] for line in printed]  # type: ignore[index]

    listed = run(kept, "backup", "--list", str(target)).stdout.splitlines()
    assert [line[:12] for line in listed] == ids[::-1]
    pruned = run(kept, "backup", "--prune", "2", str(target))
    assert re.fullmatch(r"1 snapshots removed, 2 left; \d+ objects deleted\n", pruned.stdout), (
        pruned.stderr
    )
    verified = run(kept, "verify", str(target))
    assert verified.returncode == 0
    assert verified.stdout.startswith("2 snapshots, ")
    assert run(kept, "verify", "--snapshot", ids[2], str(target)).stdout.startswith("1 snapshots")

    other = make_settings("local")
    restored = run(other, "restore", "--snapshot", ids[1], str(target))
    assert (restored.returncode, restored.stderr) == (0, "")
    *counts, keys, last = restored.stdout.splitlines()
    assert "blobs: 2" in counts
    assert keys.startswith("The signing keys of the snapshot are in ")
    assert last.startswith(f"Restored {ids[1]} of ")
    client = start(other).client
    assert client.get("/v1/blobs/large/content").content == LARGE
    assert client.get("/v1/blobs/small/content").content == b"small"


@pytest.mark.slow
def test_what_is_missing_or_damaged_is_told(
    kept: Settings, run: Run, make_settings: MakeSettings, target: Path
) -> None:
    objects = Path(kept["DATA_DIR"]) / "objects"
    (path,) = objects.glob("blobs/?/?/*")
    key = path.relative_to(objects).as_posix()
    path.write_bytes(LARGE[::-1])
    damaged = run(kept, "backup", str(target))
    first, last = damaged.stdout.splitlines()
    assert (damaged.returncode, first) == (1, f"damaged: {key}")
    assert ", 1 of them absent;" in last
    assert run(kept, "verify", str(target)).returncode == 0
    restored = run(make_settings("local"), "restore", str(target))
    assert (restored.returncode, restored.stdout.splitlines()[0]) == (1, f"damaged: {key}")

    path.write_bytes(LARGE)
    assert run(kept, "backup", str(target)).returncode == 0
    (target / key).unlink()
    verified = run(kept, "verify", str(target))
    assert (verified.returncode, verified.stdout.splitlines()[0]) == (1, f"missing: {key}")
    manifest = next(target.glob("manifests/?/?/*"))
    manifest.write_bytes(b"{}")
    listed = run(kept, "backup", "--list", str(target))
    assert (listed.returncode, "is no manifest" in listed.stdout) == (1, True)


def test_what_cannot_be_done_is_told_in_a_line(
    kept: Settings, run: Run, tmp_path: Path, target: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    empty = shutil.copytree(target, tmp_path / "empty")
    assert run(kept, "backup", str(target)).returncode == 0
    for arguments, said in (
        (("backup", str(elsewhere)), f"there is no folder {elsewhere}"),
        (("verify", str(empty)), "there is no snapshot"),
        (("restore", str(target)), "the database is not empty"),
        (("restore", "--snapshot", "xyz", str(target)), "0 snapshots have an id that begins"),
    ):
        refused = run(kept, *arguments)
        assert (refused.returncode, refused.stdout) == (1, "")
        (line,) = refused.stderr.splitlines()
        assert line.startswith("Holdall can't do this: ")
        assert said in line
    for wrong in (["--prune", "0"], ["--prune", "x"], ["--list", "--prune", "1"]):
        assert run(kept, "backup", *wrong, str(target)).returncode == 2
