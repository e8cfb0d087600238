"""Connections to PostgreSQL by a URL that may name several servers, one of them the primary."""

from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg

CONNECT_SECONDS: Final = 5.0

_ELSEWHERE: Final = (  # the next server may serve all the same
    OSError,  # so is a timeout
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TargetServerAttributeNotMatched,
)


class Hosts:
    """Connects to the servers of a URL in turn, until one serves; that is asked first afterwards.

    Each has a time limit of its own. The driver has one for all together: past a machine that has
    gone without a word, it would never come to the next.
    """

    def __init__(self, dsn: str) -> None:
        url = urlsplit(dsn)
        login, at, hosts = url.netloc.rpartition("@")
        self._dsns = [url._replace(netloc=login + at + host).geturl() for host in hosts.split(",")]

    async def connect(self, *_: object, **options: Any) -> "asyncpg.Connection[Any]":  # noqa: ANN401 - the driver's
        """Make a connection; raises what the last of the servers has answered."""
        *others, last = list(self._dsns)
        for dsn in others:
            try:
                return await self._connect(dsn, options)
            except _ELSEWHERE:
                continue
        return await self._connect(last, options)

    async def _connect(self, dsn: str, options: dict[str, Any]) -> "asyncpg.Connection[Any]":
        connection = await asyncpg.connect(dsn, timeout=CONNECT_SECONDS, **options)
        self._dsns = [dsn, *(other for other in self._dsns if other != dsn)]
        return connection
