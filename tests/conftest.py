"""Fixtures that every layer of the tests shares: real servers, started when first asked for."""

from collections.abc import Iterator

import pytest

from tests import servers


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The one event loop that Holdall runs on."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[servers.PostgresServer]:
    """PostgreSQL without fsync; take a database of your own by `create_database`."""
    with servers.postgres_server() as server:
        yield server


@pytest.fixture(scope="session")
def s3_server() -> Iterator[servers.S3Server]:
    """SeaweedFS; its bucket is shared by the whole session."""
    with servers.s3_server() as server:
        yield server


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[servers.ValkeyServer]:
    """Valkey, shared by the whole session: use keys or channels of your own."""
    with servers.valkey_server() as server:
        yield server
