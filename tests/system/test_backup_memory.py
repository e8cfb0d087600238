"""Memory of backups and restores, which grows neither with objects nor with rows."""

import hashlib
import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.system.conftest import MakeSettings, Settings
from tests.system.processes import environment, furnish, main_py

pytestmark = pytest.mark.slow

MIB = 1024 * 1024
SIZE = 512 * MIB
ROWS = 100_000
MORE = 96 * MIB  # what a copy of a large object and a block of rows may take


def peak_of(settings: Settings, *arguments: str) -> int:
    """Run a command; returns the most memory that it had, in bytes."""
    process = subprocess.Popen(main_py(*arguments), env=environment(settings))
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss * 1024


def fill(settings: Settings) -> None:
    """Give the built-in account a large object in the store, and many small ones in rows."""
    data = Path(settings["DATA_DIR"])
    key = f"blobs/0/0/00{'f' * 30}"
    path = data / "objects" / key
    path.parent.mkdir(parents=True)
    block, sha256 = bytes(range(256)) * 4096, hashlib.sha256()
    with path.open("wb") as file:
        for _ in range(SIZE // len(block)):
            file.write(block)
            sha256.update(block)
    small = hashlib.sha256(b"small").digest()
    objects = [(1, None, 5, small)] * ROWS + [(1, key, SIZE, sha256.digest())]
    with closing(sqlite3.connect(data / "holdall.db")) as database:
        database.executemany(
            "INSERT INTO objects (account_id, kind, key, state, size, sha256, charged_bytes,"
            " charged_slots, created_at) VALUES (?, 'blobs', ?, 'ready', ?, ?, 0, 0, 0)",
            objects,
        )
        database.execute(
            "INSERT INTO object_bytes SELECT id, CAST('small' AS BLOB) FROM objects"
            " WHERE key IS NULL"
        )
        database.execute(
            "INSERT INTO blobs (account_id, name, object_id, content_type, created_at, modified_at)"
            " SELECT 1, 'blob ' || id, id, 'text/plain', 0, 0 FROM objects"
        )
        database.commit()


def test_memory_grows_neither_with_objects_nor_with_rows(
    make_settings: MakeSettings, tmp_path: Path
) -> None:
    settings, other = make_settings("local"), make_settings("local")
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    furnish(settings)
    empty = peak_of(settings, "backup", str(tmp_path / "first"))
    fill(settings)
    target = str(tmp_path / "second")
    assert peak_of(settings, "backup", target) < empty + MORE
    assert peak_of(settings, "verify", target) < empty + MORE
    assert peak_of(other, "restore", target) < empty + MORE
    with closing(sqlite3.connect(Path(other["DATA_DIR"]) / "holdall.db")) as database:
        assert database.execute("SELECT count(*) FROM blobs").fetchone() == (ROWS + 1,)
