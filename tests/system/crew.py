"""A service of several workers, of which a test chooses who is to answer."""

import os
import signal
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from tests.system.conftest import Settings
from tests.system.processes import Service, wait_for


def children(pid: int) -> list[int]:
    """Return the processes that a process has started, in order."""
    return [
        int(child)
        for task in Path(f"/proc/{pid}/task").glob("*/children")
        for child in task.read_text().split()
    ]


def workers(service: Service, count: int = 2) -> list[int]:
    """Wait until so many workers serve, and return their processes."""
    wait_for(lambda: service.log.count("Application startup complete") >= count)
    wait_for(lambda: len(children(service.pid)) == count)
    return children(service.pid)


@contextmanager
def only(chosen: int, crew: Sequence[int], settings: Settings) -> Iterator[None]:
    """Let one worker alone answer in the context: the others stand still, and hold no lock."""
    others = [pid for pid in crew if pid != chosen]
    try:
        wait_for(lambda: _stand_still(others, settings))
        yield
    finally:
        _send(others, signal.SIGCONT)


def _stand_still(pids: Sequence[int], settings: Settings) -> bool:
    _send(pids, signal.SIGSTOP)
    wait_for(lambda: all(map(_is_stopped, pids)))  # a busy machine may take its time over it
    if "DATABASE_URL" in settings:
        return True
    path = Path(settings["DATA_DIR"]) / "holdall.db"
    with closing(sqlite3.connect(path, isolation_level=None, timeout=0.2)) as database:
        try:
            database.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:  # one was stopped amid a transaction
            _send(pids, signal.SIGCONT)
            return False
    return True


def _is_stopped(pid: int) -> bool:
    """Tell whether no thread of a process runs on."""
    return all(_state(task) == "T" for task in Path(f"/proc/{pid}/task").iterdir())


def _send(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        os.kill(pid, number)


def is_running(pid: int) -> bool:
    """Tell whether a process has not ended."""
    try:
        return _state(Path(f"/proc/{pid}")) != "Z"
    except FileNotFoundError:
        return False


def _state(process: Path) -> str:
    """Return the state of a process or thread, by its folder: a letter (proc(5))."""
    return (process / "stat").read_text().rpartition(")")[2].split()[0]
