"""Processes of the service: started with settings of their own, talked to, stopped or killed."""

import contextlib
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import httpx

from tests import deadline, plain_http, sharing

DEADLINE = deadline.DEADLINE
PROJECT = Path(__file__).parents[2]
SERVICE_TOKEN = "a-service-token-for-system-tests"

_ELSEWHERE = {"DATABASE_URL", "ACTIVE_STORAGE", "LOCAL_STORAGE_PATH", "DUMPS_BASE_DIR"}
_LARGEST = 65_536  # bytes of a message from a fork
_URL = re.compile(r"(?:Holdall serves|Uvicorn running on) (http://[^\s\"]+)")


class Child(Protocol):
    """A process, as `subprocess.Popen` has it."""

    pid: int

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...


class Service:
    """A service that runs, or has run; its output is in files beside its data."""

    def __init__(self, child: Child, output: Path) -> None:
        self._child = child
        self._output = output

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def printed(self) -> str:
        """What it has written to its standard output so far."""
        return self._output.with_suffix(".out").read_text(errors="replace")

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return self._output.with_suffix(".log").read_text(errors="replace")

    @property
    def events(self) -> list[dict[str, Any]]:
        """The lines of its log that are JSON; all of them, in a whole log."""
        lines = [line for line in self.log.splitlines() if line.startswith("{")]
        return [json.loads(line) for line in lines if line.endswith("}")]

    @cached_property
    def url(self) -> str:
        """Where it serves; waits until it says so."""
        wait_for(lambda: _URL.search(self.printed + self.log) or self._child.poll() is not None)
        found = _URL.search(self.printed + self.log)
        assert found is not None, f"it ended with status {self._child.poll()}:\n{self.log}"
        return found[1]

    @property
    def address(self) -> tuple[str, int]:
        """Host and port, for a socket."""
        url = httpx.URL(self.url)
        assert url.port is not None
        return url.host, url.port

    @cached_property
    def client(self) -> httpx.Client:
        """A client of the built-in account."""
        headers = {"Authorization": f"Bearer {SERVICE_TOKEN}"}
        return plain_http.Client(base_url=self.url, headers=headers)

    @property
    def open_files(self) -> int:
        """How many descriptors it has; it alone may look."""
        metrics = self.client.get("/metrics").text
        found = re.search(r"^process_open_fds (\S+)$", metrics, re.MULTILINE)
        assert found is not None
        return int(float(found[1]))

    def wait_until_ready(self) -> None:
        """Return when it can serve."""
        wait_for(lambda: self.client.get("/readyz").status_code == httpx.codes.OK)

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def wait(self) -> int:
        """Wait for its end; returns its exit status, negative for a signal's number."""
        status = self._child.wait(DEADLINE)
        self._close()
        return status

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Stop it by a signal; returns its exit status."""
        self._close()
        self.send_signal(number)
        return self.wait()

    def kill(self) -> None:
        """End it at once, if it runs, as a crash would."""
        self._close()
        if self._child.poll() is None:
            self.send_signal(signal.SIGKILL)
            self._child.wait(DEADLINE)

    def _close(self) -> None:
        if "client" in self.__dict__:
            self.client.close()


def wait_for(condition: Any) -> Any:  # noqa: ANN401 - what it gives
    """Wait until a condition gives something true, and return that."""
    deadline = time.monotonic() + DEADLINE
    pause = 0.005
    while not (found := condition()):
        assert time.monotonic() < deadline, f"it did not happen in {DEADLINE:.0f} s"
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)  # looking costs more than most of what is waited for
    return found


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the whole environment of a process with these settings; nothing of ours gets in."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    ours = {"PORT": "0", "SECRET_KEY": SERVICE_TOKEN, "PYTHONWARNINGS": "default", "WORKERS": "1"}
    return {**kept, **ours} | {name: value for name, value in settings.items() if value}


def spawn(
    settings: Mapping[str, str], folder: Path, name: str, command: Sequence[str | Path] = ()
) -> Service:
    """Start a process with its output in ``folder``: a command, or else a fork of ``main.py``."""
    output = folder / name
    if not command:
        return Service(sharing.nursery().fork(settings, output), output)
    with contextlib.ExitStack() as files:
        out = files.enter_context(output.with_suffix(".out").open("wb"))
        log = files.enter_context(output.with_suffix(".log").open("wb"))
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=log,
            env=environment(settings),
            cwd=folder,
        )
    return Service(child, output)


def furnish(settings: Mapping[str, str]) -> None:
    """Give a service that would begin with an empty folder one that is migrated: that is faster."""
    folder = Path(settings["DATA_DIR"])
    is_embedded = _ELSEWHERE.isdisjoint(settings)
    if is_embedded and folder.parent.is_dir() and not folder.exists():
        shutil.copytree(sharing.data_folder(), folder)


@contextlib.contextmanager
def running(
    settings: Mapping[str, str], folder: Path, command: Sequence[str | Path] = ()
) -> Iterator[Service]:
    """Run a process that is ready to serve; it ends with the context, also if it never was."""
    furnish(settings)
    service = spawn(settings, folder, "service", command)
    try:
        service.wait_until_ready()
        yield service
    finally:
        service.kill()


def main_py(*arguments: str) -> list[str]:
    """Return a command line of the service."""
    return [sys.executable, str(PROJECT / "main.py"), *arguments]


def run(
    settings: Mapping[str, str], folder: Path, *command: str, given: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with ``given`` on its standard input."""
    return subprocess.run(
        command,
        input=given,
        capture_output=True,
        text=True,
        env=environment(settings),
        cwd=folder,
        timeout=DEADLINE,
        check=False,
    )


def run_fork(
    settings: Mapping[str, str], folder: Path, *arguments: str, given: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run ``main.py`` to its end, in a fork, with ``given`` on its standard input."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        output = Path(name) / "run"
        fork = sharing.nursery().fork(settings, output, *arguments, folder=folder, given=given)
        status = fork.wait(DEADLINE)
        printed, said = (output.with_suffix(suffix).read_text() for suffix in (".out", ".log"))
        return subprocess.CompletedProcess(arguments, status, printed, said)


@dataclass(frozen=True)
class Nursery:
    """Where processes come from that have everything imported: forks of one that waits.

    Each obeys commands (`Fork.ask`) and ends with the tests, however these end.
    """

    path: Path

    def fork(
        self,
        settings: Mapping[str, str],
        output: Path,
        *arguments: str,
        folder: Path | None = None,
        given: str = "",
        ahead: int = 0,
        fatal: int = 0,
        interval: float = 0,
    ) -> "Fork":
        """Run ``main.py`` with arguments, and a clock that is ``ahead`` by so many seconds.

        It works in ``folder``, by default that of its output. ``fatal`` is the number of the step
        of its start that it dies at; 0: none. ``interval`` is how many seconds a listener to a
        buffer goes without a look at it; 0: as many as usual.
        """
        outputs = [str(output.with_suffix(suffix)) for suffix in (".out", ".log")]
        for path in outputs:
            Path(path).write_bytes(b"")
        output.with_suffix(".in").write_text(given)
        channel = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        channel.connect(str(self.path))
        order = {
            "environment": environment(settings),
            "folder": str(folder or output.parent),
            "input": str(output.with_suffix(".in")),
            "output": outputs,
            "arguments": arguments,
            "ahead": ahead,
            "fatal": fatal,
            "interval": interval,
        }
        channel.send(json.dumps(order).encode())
        return Fork(channel)


@contextlib.contextmanager
def nursery() -> Iterator[Nursery]:
    """Run the process that forks."""
    with tempfile.TemporaryDirectory(prefix="holdall-nursery-") as name:
        path = Path(name) / "nursery"
        log = path.with_suffix(".log")
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.system.crashing", str(path)],
                stdin=subprocess.PIPE,
                stderr=output,
                cwd=PROJECT,
                env=environment({}),
            )
        wait_for(lambda: path.exists() or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield Nursery(path)
        assert process.stdin is not None
        process.stdin.close()
        process.wait(DEADLINE)


class ForkDied(Exception):
    """The process that was asked for something had ended."""


class Fork:
    """A process from the `Nursery`, and the channel that it gets commands by."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._status: int | None = None
        self.pid = int(json.loads(self._receive(DEADLINE))["pid"])

    def ask(self, command: str, *arguments: int | str) -> Any:  # noqa: ANN401 - JSON
        """Send a command of `tests.system.crashing` and return its answer; raises `ForkDied`."""
        with contextlib.suppress(BrokenPipeError):  # then its status is what there is to read
            self._channel.send(json.dumps([command, *arguments]).encode())
        answer = json.loads(self._receive(DEADLINE))
        if "status" in answer:
            self._end(answer)
            raise ForkDied(f"with status {self._status}")
        return answer["answer"]

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        if self._status is None:
            self._end(json.loads(self._receive(timeout)))
        assert self._status is not None
        return self._status

    def _end(self, message: dict[str, Any]) -> None:
        self._status = int(message["status"])
        self._channel.close()

    def _receive(self, timeout: float | None) -> bytes:
        if not select.select([self._channel], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired("fork", timeout or 0)
        try:
            data = self._channel.recv(_LARGEST)
        except ConnectionResetError:  # it died before it read the last command; its status is next
            data = self._channel.recv(_LARGEST)
        assert data, "the nursery has ended"
        return data
