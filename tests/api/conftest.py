"""The API through both profiles: every test here runs embedded and scaled.

Of most modules, the ordinary run has all tests embedded, and scaled those that are marked as
ordinary: where databases, stores or what processes share differ. The slow run has the rest.
"""

import itertools
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from app.config import Settings
from app.runtime import Runtime, open_runtime
from app.security import passwords
from main import create_app
from tests import servers
from tests.databases import Databases

SECRET_KEY = "a-service-token-for-tests"
SIGNING_KEY = "a-signing-key-for-tests-of-32-characters"
PASSWORD = "correct horse battery"

CHEAP = passwords.Cost(memory=8, rounds=1)
"""What a login costs here: half of the tests' time would go into it otherwise."""

MakeSettings = Callable[..., Settings]


@dataclass
class Service:
    """A running application, and what a test needs to talk to it or look behind it."""

    settings: Settings
    runtime: Runtime
    client: httpx.AsyncClient
    _names: Any = field(default_factory=lambda: itertools.count(1))

    @property
    def service_token(self) -> dict[str, str]:
        """Headers of the built-in account."""
        return {"Authorization": f"Bearer {SECRET_KEY}"}

    async def sign_up(self, username: str | None = None) -> tuple[dict[str, Any], dict[str, str]]:
        """Make an account and log in; returns it, and the headers that a request of its wants."""
        name = username or f"user{next(self._names)}"
        account = await self.client.post(
            "/v1/accounts", json={"username": name, "password": PASSWORD}
        )
        assert account.status_code == 201, account.text
        return account.json(), await self.log_in(name)

    async def log_in(self, username: str, password: str = PASSWORD) -> dict[str, str]:
        """Log in; returns the headers that a request wants."""
        form = {"username": username, "password": password}
        answer = await self.client.post("/v1/auth/token", data=form)
        assert answer.status_code == 200, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Service]:
    """Run an application with these settings, in this loop; its background tasks do not run.

    A test that needs one calls its ``run_once``.
    """
    edge = create_app(settings)
    async with AsyncExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(passwords, "COST", CHEAP)
        runtime = await stack.enter_async_context(open_runtime(settings, background=False))
        edge.app.state.runtime = runtime
        transport = httpx.ASGITransport(edge)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield Service(settings, runtime, client)


class _Given(Settings):
    """Settings that come from no environment and no file, which takes long to look at."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - by this name it is called
        init_settings: PydanticBaseSettingsSource,
        *_: PydanticBaseSettingsSource,
        **__: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def _settings(folder: Path, **options: Any) -> Settings:  # noqa: ANN401 - any setting
    values: dict[str, Any] = {
        "data_dir": folder,
        "secret_key": SECRET_KEY,
        "signing_key": SIGNING_KEY,
        "registration": "open",
        "rate_limits": "off",
    }
    return _Given(**(values | options))


async def _prepare(settings: Settings) -> None:
    async with open_runtime(settings, background=False):
        pass


@pytest.fixture(params=["embedded", "scaled"])
def make_settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeSettings]:
    """Make the settings of a fresh service; options by name override."""
    folder = tmp_path / "data"
    if request.param == "embedded":
        shutil.copytree(request.getfixturevalue("embedded_template"), folder)
        yield lambda **options: _settings(folder, **options)
        return
    prepared = dict(request.getfixturevalue("scaled_template"))
    valkey: servers.ValkeyServer = request.getfixturevalue("valkey_server")
    valkey.clear()  # of what earlier tests counted
    databases: Databases = request.getfixturevalue("scaled_databases")
    database = databases.take()
    yield lambda **options: _settings(folder, **(prepared | {"database_url": database} | options))
    databases.give_back(database)


@pytest.fixture
async def service(make_settings: MakeSettings) -> AsyncIterator[Service]:
    """A service of its own for each test, in both profiles."""
    async with running(make_settings()) as service:
        yield service


@pytest.fixture
def client(service: Service) -> httpx.AsyncClient:
    """The service's HTTP client."""
    return service.client
