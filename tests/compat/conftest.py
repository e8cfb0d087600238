"""Contracts through both profiles, by the fixtures of the API's tests; and by curl."""

import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from fastapi.routing import APIRoute

from app.config import Settings
from main import create_app
from tests.api.conftest import Service, make_settings
from tests.api.shared import PROFILES, shared_service, shared_settings
from tests.system import processes

__all__ = ["make_settings"]

DOCUMENTS = Path(__file__).parents[2] / "docs" / "compat"

RunDocument = Callable[[str, dict[str, bytes]], str]


@pytest.fixture(scope="module", params=PROFILES)
def settings(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a fresh service in both profiles."""
    folder = tmp_path_factory.mktemp("dumps")
    return shared_settings(request, tmp_path_factory, dumps_base_dir=folder)


@pytest.fixture(scope="module")
async def service(settings: Settings) -> AsyncIterator[Service]:
    """One service for all tests of a contract; each has accounts of its own."""
    async with shared_service(settings) as service:
        yield service


def paths_of(settings: Settings) -> set[str]:
    """Return the paths of all operations that a service with these settings has."""
    routes = create_app(settings).app.routes
    return {route.path_format for route in routes if isinstance(route, APIRoute)}


@pytest.fixture
def live(tmp_path: Path) -> Iterator[processes.Service]:
    """A process of the service, where everybody is of the highest tier."""
    settings = {"DATA_DIR": str(tmp_path / "data"), "DEFAULT_TIER": "Enterprise"}
    with processes.running(settings, tmp_path) as service:
        yield service


@pytest.fixture
def run_document(live: processes.Service, tmp_path: Path) -> RunDocument:
    """Type what a document says to type into a shell, beside files; returns what it printed."""
    if shutil.which("curl") is None:
        pytest.skip("no curl is installed")

    def run(name: str, files: dict[str, bytes]) -> str:
        blocks = re.findall(r"```sh\n(.*?)```", (DOCUMENTS / name).read_text(), re.DOTALL)
        assert blocks
        for file, data in files.items():
            (tmp_path / file).write_bytes(data)
        done = subprocess.run(
            ["sh", "-euxc", "\n".join(blocks)],
            cwd=tmp_path,
            env=processes.environment({"URL": live.url}),
            capture_output=True,
            timeout=processes.DEADLINE,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()

    return run
