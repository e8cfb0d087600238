"""Turns at writing: the processes that share a file wait for each other in a line.

SQLite alone lets them try again after pauses, which grow: whoever has just written is most often
the next to write as well, and others wait for seconds.
"""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Final

PATIENCE: Final = 1.0
"""Seconds after which a writer goes on without a turn: a process that has it may stand still."""


class WriterTurns:
    """The turns of one thread, by a lock of a file, which the kernel takes from whoever dies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        self._line: _Line | None = None

    @contextmanager
    def take(self) -> Iterator[None]:
        """Hold the turn in the context, if it comes in time; it is a help and no more."""
        try:
            turn = self._turn()
        except OSError:  # a full disk, no more descriptors
            turn = nullcontext()
        with turn:
            yield

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
        if self._line is not None:
            self._line.close()

    def _turn(self) -> AbstractContextManager[None]:
        if self._file is None:
            self._file = _opened(self._path)
        with suppress(BlockingIOError):
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return _unlocking(self._file)
        if self._line is None:
            self._line = _Line(_opened(self._path))
        return self._line.waited(PATIENCE)


class _Line:
    """A thread that waits for the lock, for such a wait can't be ended."""

    def __init__(self, file: int) -> None:
        self._file = file
        self._changed = threading.Condition()
        self._is_wanted = self._is_held = self._is_queueing = self._is_closed = False
        threading.Thread(target=self._run, name="sqlite-turns", daemon=True).start()

    @contextmanager
    def waited(self, seconds: float) -> Iterator[None]:
        """Hold the lock in the context, if it can be had in so many seconds."""
        with self._changed:
            if not self._is_queueing:  # else it has been waited for in vain, and still is
                self._is_wanted = True
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._is_held, seconds)
                self._is_wanted = False
        try:
            yield
        finally:
            with self._changed:
                self._is_held = False
                self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _run(self) -> None:
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._is_wanted or self._is_closed)
                if self._is_closed:
                    break
                self._queue()
                self._is_held = self._is_wanted
                self._changed.notify_all()
                self._changed.wait_for(lambda: not self._is_held)
                fcntl.flock(self._file, fcntl.LOCK_UN)
        os.close(self._file)

    def _queue(self) -> None:
        self._is_queueing = True
        self._changed.release()
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX)
        finally:
            self._changed.acquire()
            self._is_queueing = False


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


@contextmanager
def _unlocking(file: int) -> Iterator[None]:
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)
