"""Runs the service in processes that do as they are told: count their steps, die at one.

``python -m tests.system.crashing SOCKET`` imports everything once and waits. For each connection
it forks a process that runs ``main.py``; that process obeys commands which come over the
connection. A step is a side effect: a transaction, a change to a file, a request to S3, a
statement of the PostgreSQL store, a function in a long transaction. This runs beside the tests, so
it may know the service's inside.
"""

# ruff: noqa: ANN401 - what it wraps takes and gives anything

import asyncio
import atexit
import gc
import json
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial, wraps
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import alembic.command
import asyncpg
import httptools
import uvicorn.lifespan.on
import uvicorn.loops.uvloop
import uvicorn.protocols.http.httptools_impl
from aiobotocore.endpoint import AioEndpoint

import main
from app import clock
from app.buffer.events import BufferEvents
from app.database import transactions
from app.database.postgres.database import PostgresDatabase
from app.database.sqlite.database import SqliteDatabase
from app.security import passwords
from app.tasks.supervisor import Supervisor, Task
from storage import postgres
from storage.s3 import store as s3

_PRELOADED: Final = (alembic.command, httptools, postgres, uvicorn)  # in every fork already

_LARGEST_ORDER: Final = 65_536
_BLOCK: Final = 4096
_FILE_CHANGES: Final = ("mkdir", "fsync", "rename", "link", "unlink")
_NOTHING_DONE: Final[tuple[object, ...]] = (
    0,
    [],
)  # what transactions of tasks give that found nothing due
_SENT_WITHIN: Final = 0.003  # seconds in which a request is under way, and often not answered
_OF_THE_STORE: Final = "holdall_store."  # what the PostgreSQL store's statements all name

T = TypeVar("T")


@dataclass
class Steps:
    """Counts steps once it is armed, and ends the process, as a crash would, at one of them."""

    fatal: int = 0  # the number of the step to die at; 0: none
    armed: bool = False
    names: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, name: str, last_words: Callable[[], object] | None = None) -> None:
        """Take a step; ``last_words`` is what is still done when it is the fatal one."""
        with self.lock:
            if not self.armed:
                return
            self.names.append(name)
            if len(self.names) == self.fatal:
                if last_words is not None:
                    last_words()
                os.write(2, f"killed at step {self.fatal}: {name}\n".encode())
                os.kill(os.getpid(), signal.SIGKILL)
                time.sleep(60)

    @property
    def next_is_fatal(self) -> bool:
        return self.armed and len(self.names) + 1 == self.fatal


steps = Steps()


@dataclass
class Clock:
    """The service's clock, which goes ahead of the true one."""

    ahead: int = 0  # microseconds
    jumped: int = 0  # of these, without any time having passed

    def now(self) -> int:
        return time.time_ns() // 1000 + self.ahead

    def monotonic(self) -> int:
        return time.monotonic_ns() // 1000 + self.ahead - self.jumped


def watch_database(kind: type[SqliteDatabase] | type[PostgresDatabase]) -> None:
    """Make steps of every transaction's begin and end, and of the moment before its commit."""
    original: Any = kind.write_in_turn

    async def write_in_turn(
        self: Any, turn: str | None, fn: Callable[..., Any], /, *args: Any, **kwargs: Any
    ) -> Any:
        name = getattr(fn, "__name__", "a transaction")

        def watched(connection: Any, *args: Any, **kwargs: Any) -> Any:
            result = fn(connection, *args, **kwargs)
            if result not in _NOTHING_DONE:
                steps.take(f"before the commit of {name}")
            return result

        result = await original(self, turn, watched, *args, **kwargs)
        if result not in _NOTHING_DONE:
            steps.take(f"after the commit of {name}")
        return result

    kind.write_in_turn = write_in_turn  # type: ignore[method-assign]


def watch_transactions() -> None:
    """Make steps of what is done in a transaction that fills a database, its commit included."""
    for kind in (transactions._OfSqlite, transactions._OfPostgres):
        _watch_transaction(kind)


def _watch_transaction(kind: Any) -> None:
    original = kind.run

    async def run(self: Any, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        steps.take(f"before {fn.__name__}")
        result = await original(self, fn, *args, **kwargs)
        steps.take(f"after {fn.__name__}")
        return result

    kind.run = run


def watch_files() -> None:
    """Make steps of what the local store does to files, which it does in threads of its own."""

    def watch(name: str) -> None:
        original = getattr(os, name)

        @wraps(original)
        def watched(*args: Any, **kwargs: Any) -> Any:
            if _is_the_store():
                steps.take(f"before {name} {args[0]}")
            return original(*args, **kwargs)

        setattr(os, name, watched)

    for name in _FILE_CHANGES:
        watch(name)
    write = os.pwrite

    def pwrite(fd: int, data: Any, offset: int) -> int:
        if _is_the_store():
            steps.take("before pwrite")
            half = len(data) // 2 // _BLOCK * _BLOCK
            steps.take("amid pwrite", lambda: write(fd, data[:half], offset))
        return write(fd, data, offset)

    os.pwrite = pwrite


def _is_the_store() -> bool:
    return threading.current_thread().name.startswith("local-store")


async def _watched(name: str, request: Coroutine[Any, Any, T]) -> T:
    """Make two steps of a request: it is sent and not answered yet, and it is answered."""
    if steps.next_is_fatal:
        under_way = asyncio.ensure_future(request)
        await asyncio.wait([under_way], timeout=_SENT_WITHIN)
        steps.take(f"amid {name}")
    steps.take(f"amid {name}")
    answer = await request
    steps.take(f"after {name}")
    return answer


def watch_s3() -> None:
    """Make steps of every request to S3."""
    original = AioEndpoint._send

    async def send(self: Any, request: Any) -> Any:
        return await _watched(f"{request.method} {request.url}", original(self, request))

    AioEndpoint._send = send


def watch_postgres_store() -> None:
    """Make steps of the PostgreSQL store's statements, each a transaction of its own."""
    original = asyncpg.Connection._execute

    async def execute(self: Any, query: str, *args: Any, **kwargs: Any) -> Any:
        if _OF_THE_STORE not in query:
            return await original(self, query, *args, **kwargs)
        name = " ".join(query.split())[:60]
        return await _watched(name, original(self, query, *args, **kwargs))

    asyncpg.Connection._execute = execute


class Obedience:
    """Does what comes over the channel, in a thread beside the service."""

    def __init__(self, channel: socket.socket, time: Clock) -> None:
        self._channel = channel
        self._clock = time
        self._tasks: dict[str, Callable[[], object]] = {}
        self._watch_supervisor()
        threading.Thread(target=self._obey, daemon=True, name="obedience").start()

    def _watch_supervisor(self) -> None:
        original: Any = Supervisor.__init__

        def start(supervisor: Supervisor, tasks: Sequence[Task]) -> None:
            original(supervisor, tasks)
            loop = asyncio.get_running_loop()
            for task in tasks:
                self._tasks[task.name] = partial(loop.call_soon_threadsafe, task.wake)

        Supervisor.__init__ = start  # type: ignore[method-assign,assignment]

    def _obey(self) -> None:
        while order := self._channel.recv(_LARGEST_ORDER):
            command, *arguments = json.loads(order)
            answer = getattr(self, command)(*arguments)
            self._channel.send(json.dumps({"answer": answer}).encode())
        os.kill(os.getpid(), signal.SIGKILL)  # the tests have ended

    def arm(self, fatal: int) -> None:
        """Begin to count steps, and die at the ``fatal`` one."""
        steps.names.clear()
        steps.fatal, steps.armed = fatal, True

    def disarm(self) -> list[str]:
        """Count no further; returns the steps that were taken."""
        steps.armed = False
        return steps.names

    def imported(self) -> list[str]:
        """Return the names of the packages that the process has imported."""
        return sorted({name.partition(".")[0] for name in sys.modules})

    def pass_time(self, seconds: int, *tasks: str) -> None:
        """Let time have passed, and some background tasks look what that makes due."""
        self._clock.ahead += seconds * clock.SECOND
        for name in tasks:
            self._tasks[name]()

    def jump(self, seconds: int, *tasks: str) -> None:
        """Let the clock jump ahead, and some background tasks look at it."""
        self._clock.jumped += seconds * clock.SECOND
        self.pass_time(seconds, *tasks)


def wait_for_orders(path: str) -> tuple[dict[str, Any], socket.socket]:
    """Fork a process for each order; returns in the fork, and ends where standard input does."""
    woken, wakes = os.pipe()
    for end in (woken, wakes):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakes)
    channels: dict[int, socket.socket] = {}
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(path)
        listener.listen(64)
        watched: list[Any] = [listener, woken, 0]
        while True:
            ready = select.select(watched, [], [])[0]
            if 0 in ready:
                sys.exit()
            if woken in ready:
                os.read(woken, 4096)
                _tell_ends(channels)
            if listener not in ready:
                continue
            channel, _ = listener.accept()
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                for descriptor in (woken, wakes):
                    os.close(descriptor)
                for other in channels.values():
                    other.close()
                channel.send(json.dumps({"pid": os.getpid()}).encode())
                return json.loads(channel.recv(_LARGEST_ORDER)), channel
            channels[pid] = channel


def _tell_ends(channels: dict[int, socket.socket]) -> None:
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            with channels.pop(ended[0]) as channel, suppress(OSError):
                status = os.waitstatus_to_exitcode(ended[1])
                channel.send(json.dumps({"status": status}).encode())


def run(order: dict[str, Any], channel: socket.socket) -> int:
    """Become the process of the order."""
    os.environ.clear()
    os.environ.update(order["environment"])
    os.chdir(order["folder"])
    given = os.open(order["input"], os.O_RDONLY)
    os.dup2(given, 0)
    os.close(given)
    for descriptor, path in enumerate(order["output"], start=1):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(file, descriptor)
        os.close(file)
    ahead = Clock(order["ahead"] * clock.SECOND)
    clock.now, clock.monotonic = ahead.now, ahead.monotonic
    obedience = Obedience(channel, ahead)
    if order["interval"]:
        listening: Any = BufferEvents.__init__
        listening.__kwdefaults__["interval"] = order["interval"]
    if order["fatal"]:
        obedience.arm(order["fatal"])
    try:
        return main.main(order["arguments"])
    except SystemExit as stopped:
        if isinstance(stopped.code, str):
            raise
        return stopped.code or 0


def leave(status: int) -> NoReturn:
    """End as the interpreter does, but leave undone what takes it 150 ms: to free everything."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


async def _open_s3_once() -> None:
    """Have the S3 client's megabytes of descriptions read; nothing is sent."""
    store = await s3.S3Store.connect(
        bucket="none",
        region="us-east-1",
        access_key="none",
        secret_key="none",
        endpoint_url="http://127.0.0.1:1",
    )
    await store.aclose()


def prepare() -> None:
    """Do once what every fork would do."""
    watch_database(SqliteDatabase)
    watch_database(PostgresDatabase)
    watch_transactions()
    watch_files()
    watch_s3()
    watch_postgres_store()
    passwords.COST = passwords.Cost(memory=8, rounds=1)  # type: ignore[misc]  # not what is tried
    asyncio.run(_open_s3_once())
    gc.collect()
    gc.freeze()  # so that forks don't copy what they only look at
    assert threading.active_count() == 1, "threads don't survive a fork"


if __name__ == "__main__":
    prepare()
    leave(run(*wait_for_orders(str(Path(sys.argv[1])))))
