"""What all generators of clients are tried on, and need."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.system import processes
from tests.system.processes import Service

HERE = Path(__file__).parent
NODE_BINARIES = HERE / "node_modules" / ".bin"
ADA = {"username": "ada", "password": "7 grey herons over"}

Require = Callable[..., None]


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with an account."""
    folder = tmp_path_factory.mktemp("service")
    settings = {"DATA_DIR": str(folder / "data"), "REGISTRATION": "open", "RATE_LIMITS": "off"}
    with processes.running(settings, folder) as service:
        with httpx.Client(base_url=service.url, timeout=processes.DEADLINE) as client:
            client.post("/v1/accounts", json=ADA).raise_for_status()
            client.get("/openapi.json").raise_for_status()  # made once: some wait 5 s for it
        yield service


@pytest.fixture(scope="session")
def require() -> Require:
    """Skip the test where a program is missing."""

    def require(*programs: str) -> None:
        path = f"{NODE_BINARIES}:{os.environ['PATH']}"
        missing = [name for name in programs if shutil.which(name, path=path) is None]
        if missing:
            names = ", ".join(missing)
            pytest.skip(f"not installed: {names} (what is from npm, make test-clients installs)")

    return require
