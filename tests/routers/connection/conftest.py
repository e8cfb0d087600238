"""A server that echoes."""

from collections.abc import Iterator

import pytest

from tests.routers.connection.wire import Echo, Server, serving


@pytest.fixture
def echo() -> Echo:
    """The application of `server`."""
    return Echo()


@pytest.fixture
def server(echo: Echo) -> Iterator[Server]:
    """A server that echoes."""
    with serving(echo) as server:
        yield server
