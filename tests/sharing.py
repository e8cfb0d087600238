"""What all tests of a run share, however many processes run them: servers, and a database or two.

The process that pytest was started in makes each when it is first asked for, and takes it away at
the end of the run. Workers ask it over a socket.
"""

import asyncio
import atexit
import contextlib
import shutil
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from tests import servers

if TYPE_CHECKING:
    from tests.system.processes import Nursery


class Source(Protocol):
    """Where shared things come from."""

    def get(self, name: str) -> Any:  # noqa: ANN401 - a thing of any kind
        """Return the thing of that name, made if nobody has asked for it yet."""


class Lender:
    """Makes things once, and lends them to other processes at ``address``."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}
        self._lock = threading.RLock()
        self._running = ExitStack()
        self._listener: Listener | None = None

    @property
    def address(self) -> str:
        if self._listener is None:
            self._listener = Listener(family="AF_UNIX")
            threading.Thread(target=self._lend, args=(self._listener,), daemon=True).start()
        return str(self._listener.address)

    def get(self, name: str) -> Any:  # noqa: ANN401 - a thing of any kind
        with self._lock:
            if name not in self._made:
                self._made[name] = self._running.enter_context(_MAKERS[name]())
            return self._made[name]

    def close(self) -> None:
        if self._listener is not None:
            self._listener.close()
        self._running.close()

    def _lend(self, listener: Listener) -> None:
        with contextlib.suppress(OSError):  # it has been closed
            while True:
                threading.Thread(target=self._answer, args=(listener.accept(),)).start()

    def _answer(self, connection: "Connection[Any, Any]") -> None:
        with connection:
            try:
                connection.send(self.get(connection.recv()))
            except Exception as error:  # noqa: BLE001 - it is the borrower's to raise
                connection.send(error)


class Borrower:
    """Gets things from the process that lends them."""

    def __init__(self, address: str) -> None:
        self._address = address

    def get(self, name: str) -> Any:  # noqa: ANN401 - a thing of any kind
        with Client(self._address) as connection:
            connection.send(name)
            thing = connection.recv()
        if isinstance(thing, Exception):
            raise thing
        return thing


_source: Source | None = None


def use(source: Source) -> None:
    """Have all of this process come from there."""
    global _source  # noqa: PLW0603 - a process has one
    _source = source


def postgres() -> servers.PostgresServer:
    """PostgreSQL without fsync; take a database of your own by `create_database`."""
    server: servers.PostgresServer = _get("postgres")
    return server


def s3() -> servers.S3Server:
    """SeaweedFS; take a bucket of your own by `create_bucket`."""
    server: servers.S3Server = _get("s3")
    return server


def migrated_database() -> str:
    """The name of a PostgreSQL database with all tables, to copy."""
    name: str = _get("migrated_database")
    return name


def data_folder() -> Path:
    """A data folder that a service has been started on once, to copy."""
    folder: Path = _get("data_folder")
    return folder


def nursery() -> "Nursery":
    """The process whose forks are processes of the service."""
    nursery: Nursery = _get("nursery")
    return nursery


def _get(name: str) -> Any:  # noqa: ANN401 - a thing of any kind
    if _source is None:  # outside pytest
        lender = Lender()
        atexit.register(lender.close)
        use(lender)
    assert _source is not None
    return _source.get(name)


@contextmanager
def _postgres() -> Iterator[servers.PostgresServer]:
    with servers.postgres_server() as server:
        yield servers.PostgresServer(server.dsn)


@contextmanager
def _s3() -> Iterator[servers.S3Server]:
    with servers.s3_server() as server:
        yield servers.S3Server(
            server.endpoint_url, server.access_key, server.secret_key, server.bucket, server.region
        )


@contextmanager
def _migrated_database() -> Iterator[str]:
    from app.database.migrate import migrate
    from tests.api.conftest import _settings

    dsn = postgres().create_database()
    with tempfile.TemporaryDirectory(prefix="holdall-data-") as folder:
        _run(migrate(_settings(Path(folder), database_url=dsn)))
    yield dsn.rpartition("/")[2]


@contextmanager
def _data_folder() -> Iterator[Path]:
    from tests.api.conftest import _prepare, _settings

    folder = Path(tempfile.mkdtemp(prefix="holdall-data-"))
    try:
        _run(_prepare(_settings(folder / "data")))
        yield folder / "data"
    finally:
        shutil.rmtree(folder)


@contextmanager
def _nursery() -> Iterator["Nursery"]:
    from tests.system import processes

    with processes.nursery() as nursery:
        yield nursery


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Run to its end what is asynchronous, wherever the one who asks for it runs."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()


_MAKERS: Final[dict[str, Callable[[], AbstractContextManager[Any]]]] = {
    "postgres": _postgres,
    "s3": _s3,
    "migrated_database": _migrated_database,
    "data_folder": _data_folder,
    "nursery": _nursery,
}
