"""Stacks as Holdall reads them, of a minidump and a folder of symbol files."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

from app.dumps.minidump.reading import read
from app.symbols.entities import NoSymbols
from app.symbols.reading import identify, make_cache

Report = dict[str, Any]
Frame = dict[str, Any]


class Symbols:
    """Caches of symbol files, made once."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._caches: list[tuple[str, Path]] = []
        for file in files:
            self._add(file)

    def _add(self, path: Path) -> None:
        with path.open("rb") as file:
            try:
                for found in identify(file):
                    cache = Path(self._folder.name) / str(len(self._caches))
                    with cache.open("wb") as out:
                        make_cache(file, found.number, found.debug_id, out)
                    self._caches.append((found.debug_id, cache))
            except NoSymbols:
                return

    def read(self, dump: Path) -> tuple[Report, float]:
        """Return the report of a minidump, and the seconds of processor time that it took."""
        with ExitStack() as stack:
            caches: list[tuple[str, BinaryIO]] = [
                (name, stack.enter_context(path.open("rb"))) for name, path in self._caches
            ]
            file = stack.enter_context(dump.open("rb"))
            began = time.process_time()
            report = read(file, caches).report
            return report, time.process_time() - began


def crashed_frames(report: Report) -> Sequence[Frame]:
    """Return the frames of the thread that crashed."""
    frames = [thread["frames"] for thread in report["threads"] if thread["is_crashed"]]
    return frames[0] if frames else []


def calls(report: Report) -> Iterator[str]:
    """Yield each function of the thread that crashed, inlined ones as well, where it is known."""
    for frame in crashed_frames(report):
        for each in (*frame["inlines"], frame):
            if each["function"] is not None:
                yield each["function"]
