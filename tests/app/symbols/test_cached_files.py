"""The folder of caches that are kept at hand: bounded, the least used first to go."""

import os
from pathlib import Path

from app.symbols import cached_files


def test_the_least_used_go_first(tmp_path: Path) -> None:
    folder = tmp_path / "cached"
    for number in range(5):
        copied = tmp_path / "copied"
        copied.write_bytes(bytes(10))
        cached_files._keep(copied, folder / str(number), max_bytes=1000)
        os.utime(folder / str(number), (number, number))
    assert {path.name for path in folder.iterdir()} == {"0", "1", "2", "3", "4"}
    opened = cached_files._opened(folder / "0")  # which is use
    assert opened is not None
    opened.close()
    (tmp_path / "copied").write_bytes(bytes(10))
    cached_files._keep(tmp_path / "copied", folder / "new", max_bytes=35)
    assert {path.name for path in folder.iterdir()} == {"0", "4", "new"}
    assert cached_files._opened(folder / "1") is None
