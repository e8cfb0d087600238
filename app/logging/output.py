"""Output of log lines, which never blocks."""

import asyncio
import json
import os
import select
import threading
from typing import Final

from app import metrics

_TOGETHER: Final = 0.01  # seconds
_KEPT: Final = 1024 * 1024  # bytes of lines that wait for a reader


class LogOutput:
    """Writes lines to standard error, and never waits for a slow reader.

    Lines that a full pipe does not take are kept, up to a limit, and tried again with every line
    and at the end of the process. Lines beyond the limit are dropped and counted, and a line
    reports that. Any thread may write.
    """

    def __init__(self, file: int = 2, *, limit: int = _KEPT) -> None:
        """``file`` is a descriptor, and ``limit`` the number of bytes to keep."""
        self._file = file
        self._limit = limit
        self._kept = bytearray()
        self._dropped = 0
        self._due = False  # a flush is scheduled
        self._poll = select.poll()
        self._poll.register(file, select.POLLOUT)
        self._lock = threading.Lock()

    def write_soon(self, line: str) -> None:
        """Write a line together with those of the next 10 ms, in one system call."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self.write(line)
            return
        self._keep(line)
        if not self._due:
            self._due = True
            loop.call_later(_TOGETHER, self.flush)

    def write(self, line: str) -> None:
        """Write a line now, or as soon as possible."""
        self._keep(line)
        self.flush()

    def _keep(self, line: str) -> None:
        data = line.encode("utf-8", "backslashreplace") + b"\n"
        with self._lock:
            if self._dropped and len(self._kept) < self._limit // 2:
                self._kept += _lost(self._dropped)
                self._dropped = 0
            if len(self._kept) + len(data) > self._limit:
                self._dropped += 1
                metrics.dropped_log_lines.inc()
            else:
                self._kept += data

    def flush(self) -> None:
        """Write the kept lines, as far as that is possible without waiting."""
        self._due = False
        with self._lock:
            self._flush()

    def _flush(self) -> None:
        try:
            while self._kept and self._takes_more():
                # whole lines, and no more than a pipe takes without waiting when it takes some
                end = self._kept.rfind(b"\n", 0, select.PIPE_BUF) + 1
                written = os.write(self._file, self._kept[: end or select.PIPE_BUF])
                del self._kept[:written]
        except OSError:  # the reader is gone, and there is no one else to tell
            self._kept.clear()

    def _takes_more(self) -> bool:
        return any(events & select.POLLOUT for _, events in self._poll.poll(0))


def _lost(count: int) -> bytes:
    facts = {
        "level": "warning",
        "event": "log lines were dropped: nobody read them",
        "count": count,
    }
    return json.dumps(facts).encode() + b"\n"
