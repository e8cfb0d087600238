"""A service that the tests of one module share, wiped after each: starting one takes a while."""

import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
import structlog
from sqlalchemy import Connection, delete, update

from app import stores
from app.accounts.tables import accounts
from app.config import Settings
from app.features import FEATURES
from app.objects.tables import object_bytes, object_segments, objects, tombstones
from storage.marked import marked
from tests.api.books import audit, stored_keys
from tests.api.conftest import Service, _settings, running
from tests.faults import FaultyStore

PROFILES = ["embedded", "scaled"]


def store_of(service: Service) -> FaultyStore:
    """Return the store of a shared service, to tell it what is to fail."""
    assert isinstance(service.runtime.parts.store, FaultyStore)
    return service.runtime.parts.store


def shared_settings(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    **options: Any,  # noqa: ANN401 - any setting
) -> Settings:
    """Make the settings of a fresh service in the profile that ``request.param`` names."""
    folder = tmp_path_factory.mktemp("shared") / "data"
    if request.param == "embedded":
        shutil.copytree(request.getfixturevalue("embedded_template"), folder)
        if dumps := options.get("dumps_base_dir"):  # a folder of their own has their mark
            shutil.copytree(folder / "objects" / "dumps", dumps, dirs_exist_ok=True)
        return _settings(folder, **options)
    prepared = dict(request.getfixturevalue("scaled_template"))
    server = request.getfixturevalue("postgres_server")
    template = prepared["database_url"].rpartition("/")[2]
    own = {"database_url": server.create_database(template)}
    return _settings(folder, **(prepared | own | options))


@asynccontextmanager
async def shared_service(settings: Settings) -> AsyncIterator[Service]:
    """Run a service on a store that fails when it is told to."""
    structlog.configure(processors=[structlog.processors.KeyValueRenderer()])
    async with AsyncExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:  # of this service alone
            patch.setattr(stores, "marked", lambda *args: FaultyStore(marked(*args)))
            service = await stack.enter_async_context(running(settings))
        yield service
    structlog.reset_defaults()


@asynccontextmanager
async def audited(service: Service) -> AsyncIterator[None]:
    """Check the books after a test, and wipe what it left."""
    before = await stored_keys(service)
    yield
    store_of(service).heal()
    await audit(service, before)
    await wipe(service)


async def wipe(service: Service) -> None:
    """Forget all that accounts keep; what is in the store stays there."""
    await service.runtime.parts.database.write(_wipe)


def _wipe(connection: Connection) -> None:
    kept = [table for feature in FEATURES if feature.name != "accounts" for table in feature.tables]
    for table in (*kept, object_bytes, object_segments, objects, tombstones):
        connection.execute(delete(table))
    connection.execute(update(accounts).values(used_bytes=0, used_objects=0))


def shared_fixtures(**options: Any) -> tuple[Any, Any]:  # noqa: ANN401 - any setting, fixtures
    """Return the fixtures ``settings`` and ``service`` of a module, in both profiles.

    One service is for all tests there.
    """

    @pytest.fixture(scope="module", params=PROFILES)
    def settings(
        request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
    ) -> Settings:
        return shared_settings(request, tmp_path_factory, **options)

    @pytest.fixture(scope="module")
    async def service(settings: Settings) -> AsyncIterator[Service]:
        async with shared_service(settings) as service:
            yield service

    return settings, service
