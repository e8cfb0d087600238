"""Fixtures that every layer of the tests shares: real servers, started when first asked for."""

import asyncio
import gc
import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest
from playwright.sync_api import Browser

from tests import browsers, servers, sharing
from tests.databases import Databases

pytest.register_assert_rewrite("storage.conformance")  # its failures are explained, too

LENDER: Final = pytest.StashKey[sharing.Lender]()

SLOWEST: Final = ("system", "storage", "pages")
"""Folders whose files come first, so that none is left when all others are done."""

FIRST: Final = "api/test_metrics.py"
"""Reads all series of its process time and again, to which each request of other tests adds."""


_NOT_FAST: Final = (
    *("system", "pages", "deploy", "migrations", "storage/test_"),
    *("compat/test_vertexcloud_live.py", "app/objects/test_late_puts.py"),
    *("app/pictures", "app/processes", "app/security/test_keyring.py", "api/test_minidumps.py"),
)
"""Folders and files with processes of their own, or long by nature."""

_SERVERS: Final = frozenset({"postgres_server", "s3_server", "valkey_server", "browser"})
_ON_SERVERS: Final = frozenset({"scaled", "postgres", "postgresql", "redis", "s3", "database"})
"""What tests call their parameters that need a server."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fast", action="store_true", help="embedded only: no server, no browser, no process"
    )
    parser.addoption("--slow", action="store_true", help="those that are slow by nature, alone")


def pytest_xdist_auto_num_workers() -> int:
    """Run more tests at once than there are processors: half of their time, they wait."""
    return max(2, (os.cpu_count() or 2) * 3 // 2)


def pytest_configure(config: pytest.Config) -> None:
    """Share between the processes of a run what takes long to start."""
    if (worker := getattr(config, "workerinput", None)) is not None:
        sharing.use(sharing.Borrower(worker["lender"]))
    else:
        config.stash[LENDER] = sharing.Lender()
        sharing.use(config.stash[LENDER])


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:  # noqa: ANN401 - xdist has no types
    """Tell a worker whom to ask."""
    node.workerinput["lender"] = node.config.stash[LENDER].address


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what was shared."""
    if LENDER in config.stash:
        config.stash[LENDER].close()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the slowest files in front; leave out what this run is not for."""
    here = Path(__file__).parent
    _keep(config, items, lambda item: _is_slow(item) == config.getoption("slow"))
    if config.getoption("fast"):
        _keep(config, items, lambda item: _is_fast(item, here))

    def rank(item: pytest.Item) -> int:
        path = item.path.relative_to(here)
        if path.as_posix() == FIRST:
            return -1
        folder = path.parts[0]
        return SLOWEST.index(folder) if folder in SLOWEST else len(SLOWEST)

    items.sort(key=rank)


def pytest_collection_finish() -> None:
    """Keep what is imported by now from being looked at by each collection of garbage."""
    gc.freeze()


def _keep(
    config: pytest.Config, items: list[pytest.Item], wanted: Callable[[pytest.Item], bool]
) -> None:
    config.hook.pytest_deselected(items=[item for item in items if not wanted(item)])
    items[:] = [item for item in items if wanted(item)]


def _is_slow(item: pytest.Item) -> bool:
    """Tell whether a test is slow: always, or with one of the parameters that its mark names.

    A test that is marked as ordinary is not, whatever its module is.
    """
    mark = item.get_closest_marker("slow")
    if mark is None or item.get_closest_marker("ordinary") is not None:
        return False
    if not mark.args:
        return True
    return not {*mark.args}.isdisjoint(re.split(r"[\[\]-]", item.name))


def _is_fast(item: pytest.Item, here: Path) -> bool:
    path = item.path.relative_to(here).as_posix()
    return (
        not path.startswith(_NOT_FAST)
        and _SERVERS.isdisjoint(getattr(item, "fixturenames", ()))
        and _ON_SERVERS.isdisjoint(re.split(r"[\[\]-]", item.name))
    )


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The one event loop that Holdall runs on."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_server() -> servers.PostgresServer:
    """PostgreSQL without fsync, shared by the whole run: make a database of your own."""
    return sharing.postgres()


@pytest.fixture(scope="session")
def databases(postgres_server: servers.PostgresServer) -> Databases:
    """Databases with all tables and nothing in them."""
    return Databases(postgres_server, sharing.migrated_database())


@pytest.fixture(scope="session")
def s3_server() -> servers.S3Server:
    """SeaweedFS, shared by the whole run; its bucket is shared by this process's tests."""
    server = sharing.s3()
    return replace(server, bucket=server.create_bucket())


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[servers.ValkeyServer]:
    """Valkey, shared by this process's tests: use keys or channels of your own.

    Each process has its own: a clear one is what tests of rate limits begin with.
    """
    with servers.valkey_server() as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for the tests of one module: asynchronous tests can't run beside it."""
    with ExitStack() as stack:
        try:
            browser = stack.enter_context(browsers.chromium())
        except browsers.NoBrowser as error:
            pytest.skip(str(error))
        yield browser


@pytest.fixture(scope="session")
def embedded_template() -> Path:
    """A data folder that has been started once; tests get copies."""
    return sharing.data_folder()


@pytest.fixture(scope="session")
def scaled_template(
    postgres_server: servers.PostgresServer,
    s3_server: servers.S3Server,
    valkey_server: servers.ValkeyServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Any]:
    """Settings of a scaled service that has been started once; tests get copies of its database."""
    from tests.api.conftest import _prepare, _settings

    options = {
        "database_url": postgres_server.create_database(sharing.migrated_database()),
        "redis_url": valkey_server.url,
        "active_storage": "s3",
        "s3_endpoint_url": s3_server.endpoint_url,
        "s3_access_key_id": s3_server.access_key,
        "s3_secret_access_key": s3_server.secret_key,
        "s3_bucket_name": s3_server.bucket,
        "s3_region_name": s3_server.region,
    }
    asyncio.run(_prepare(_settings(tmp_path_factory.mktemp("scaled"), **options)))
    return options


@pytest.fixture(scope="session")
def scaled_databases(
    postgres_server: servers.PostgresServer, scaled_template: dict[str, Any]
) -> Databases:
    """Databases of scaled services that have been started once."""
    return Databases(postgres_server, scaled_template["database_url"].rpartition("/")[2])
