"""Minidumps of other projects, against what ``minidump-stackwalk`` says of them."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from app.dumps.minidump.file import Unreadable
from bench.stacks.walked import Frame, Report, Symbols, crashed_frames

FIRST: Final = 5
"""Frames that are compared."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What of an expectation has been met."""

    name: str
    wrong: list[str]
    """Of the exception, its address, the thread and where it was."""
    equal: int
    compared: int
    seconds: float
    missing: Sequence[str] = ()
    """Functions that are not among ours."""


def compare(dumps: Path, symbols: Symbols, expected: Path) -> Iterator[Comparison]:
    """Compare each minidump with the JSON of minidump-stackwalk that is called like it."""
    for path in sorted(expected.glob("*.json")):
        dump = dumps / f"{path.stem}.dmp"
        wanted = json.loads(path.read_text())
        try:
            report, seconds = symbols.read(dump)
        except (OSError, Unreadable) as error:
            yield Comparison(path.stem, [str(error)], 0, FIRST, 0.0)
            continue
        theirs = wanted["crashing_thread"]["frames"]
        ours = crashed_frames(report)
        pairs = list(zip(theirs[:FIRST], ours[:FIRST], strict=False))
        equal = sum(_place(frame) == _place(other) for frame, other in pairs)
        most = min(FIRST, len(theirs))
        yield Comparison(path.stem, _wrong(wanted, report), equal, most, seconds)


def _wrong(wanted: dict[str, Any], report: Report) -> list[str]:
    crash, first = wanted["crash_info"], wanted["crashing_thread"]
    exception = report["exception"] or {"name": None, "reason": None, "address": "0x0"}
    crashed = [thread["id"] for thread in report["threads"] if thread["is_crashed"]]
    names = str(crash["type"]).split(" / ")
    ours = crashed_frames(report)
    checks = {
        "exception": names[0].startswith(str(exception["name"])),
        "address": int(crash["address"] or "0", 16) == int(exception["address"], 16),
        "thread": crashed == [first["thread_id"]],
        "place": bool(ours) and _place(first["frames"][0]) == _place(ours[0]),
    }
    return [name for name, is_right in checks.items() if not is_right]


def _place(frame: Frame) -> tuple[str | None, int | None]:
    offset = frame["module_offset"]
    return frame["module"], None if offset is None else int(offset, 16)
