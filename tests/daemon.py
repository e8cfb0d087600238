"""A server process of the tests: started, watched, and ended however its parent ends."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.deadline import DEADLINE

# Reads the id of the server's process from its standard input. At the end of the input, which
# comes however its parent ends, it stops the server and removes the folder.
_WATCHDOG = """
trap '' INT TERM HUP
pid=
while read -r line; do pid=$line; done
if [ -n "$pid" ]; then
    kill -s "$2" "$pid"
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        kill -0 "$pid" || break
        sleep 0.1
    done
    kill -KILL -- "-$pid"
fi 2>/dev/null
rm -rf -- "$1"
"""


class StartError(Exception):
    """A server did not start; the message ends with what it printed."""


class Daemon:
    """A server process with its folder, which can be stopped and started again in between.

    ``stop_signal`` is for a server that has more to remove than its folder.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        *,
        is_ready: Callable[[], bool],
        stop_signal: signal.Signals = signal.SIGKILL,
    ) -> None:
        self._command = command
        self._log = folder / "output.log"
        self._is_ready = is_ready
        self._stop_signal = stop_signal
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog = subprocess.Popen(
            ["sh", "-c", _WATCHDOG, "watchdog", str(folder), stop_signal.name[3:]],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def output(self) -> str:
        """What the server printed so far, the last 20,000 characters of it."""
        return self._log.read_text(errors="replace")[-20_000:]

    def start(self) -> None:
        """Start the server and return when it answers; raises `StartError`."""
        with self._log.open("ab") as log:
            self._process = process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._log.parent,
                start_new_session=True,
            )
        self._tell_watchdog(str(process.pid))
        deadline = time.monotonic() + DEADLINE
        while process.poll() is None:
            if self._is_ready():
                return
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        self.kill()
        raise StartError(f"{self._command} did not start:\n{self.output}")

    def stop(self) -> None:
        """Stop the server by its own signal, or with SIGKILL when that takes over 10 s."""
        if self._process is not None:
            self._process.send_signal(self._stop_signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(10)
        self.kill()

    def kill(self) -> None:
        """End the server and all its children at once, as a crash would."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._process = None
        self._tell_watchdog("")

    def pause(self) -> None:
        """Freeze the server: it accepts connections no more and answers nothing."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let a frozen server go on."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGCONT)

    def close(self) -> None:
        """Stop the server for good and remove its folder."""
        self.stop()
        assert self._watchdog.stdin is not None
        self._watchdog.stdin.close()
        self._watchdog.wait()

    def _tell_watchdog(self, line: str) -> None:
        assert self._watchdog.stdin is not None
        self._watchdog.stdin.write(line.encode() + b"\n")
        self._watchdog.stdin.flush()
