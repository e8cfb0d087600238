"""Requests of the IETF draft, as short as tests want them; by hand where no library will do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

import httpx
import uvicorn
from uvicorn.server import ServerState

from routers.connection.protocol import HttpProtocol
from tests.api.conftest import Service
from tests.deadline import DEADLINE

TYPES = "https://iana.org/assignments/http-problem-types#"


def speaking(version: int = 8, **more: str) -> dict[str, str]:
    """Return the headers of a request of the draft."""
    own = {f"Upload-{name.title()}": value for name, value in more.items()}
    return {"Upload-Draft-Interop-Version": str(version)} | own


async def patch(
    service: Service,
    headers: dict[str, str],
    url: str,
    offset: int,
    data: bytes,
    *,
    complete: str = "?0",
    version: int = 8,
) -> httpx.Response:
    """Append bytes to an upload."""
    own = speaking(version, offset=str(offset), complete=complete)
    own["Content-Type"] = "application/partial-upload"
    return await service.client.patch(url, headers=own | headers, content=data)


async def head(
    service: Service, headers: dict[str, str], url: str, version: int = 8
) -> httpx.Response:
    """Ask how far an upload is."""
    return await service.client.head(url, headers=headers | speaking(version))


@dataclass(frozen=True)
class Head:
    """The head of a response, interim or not."""

    status: int
    headers: dict[str, str]


class Connection:
    """A connection, over which a test sends what bytes it likes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def send(
        self, method: str, path: str, headers: dict[str, str], *, version: str = "1.1"
    ) -> None:
        """Send the head of a request."""
        lines = [f"{method} {path} HTTP/{version}", "Host: test"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        await self.body("\r\n".join([*lines, "", ""]).encode())

    async def body(self, data: bytes) -> None:
        """Send bytes of a body."""
        self._writer.write(data)
        await self._writer.drain()

    async def head(self) -> Head:
        """Read the head of the next response."""
        async with asyncio.timeout(DEADLINE):
            lines = (await self._reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = (line.partition(":") for line in lines[1:] if line)
        return Head(
            int(lines[0].split()[1]), {name.lower(): value.strip() for name, _, value in fields}
        )

    async def final(self) -> Head:
        """Read heads until that of the final response."""
        while (found := await self.head()).status < 200:
            pass
        return found

    async def body_of(self, head: Head) -> bytes:
        """Read the body that comes after a head."""
        async with asyncio.timeout(DEADLINE):
            return await self._reader.readexactly(int(head.headers["content-length"]))

    def close(self) -> None:
        """Leave in the middle of whatever it was."""
        self._writer.transport.abort()


@asynccontextmanager
async def connecting(service: Service, count: int = 1) -> AsyncIterator[list[Connection]]:
    """Serve a service over real sockets, and connect to it a number of times."""
    app = cast("httpx.ASGITransport", service.client._transport).app
    config = uvicorn.Config(app, ws="none", lifespan="off", log_config=None, access_log=False)
    config.load()
    loop, state = asyncio.get_running_loop(), ServerState()
    server = await loop.create_server(lambda: HttpProtocol(config, state, {}, loop), "127.0.0.1", 0)
    address = server.sockets[0].getsockname()
    connections = [Connection(*await asyncio.open_connection(*address)) for _ in range(count)]
    try:
        yield connections
    finally:
        for connection in connections:
            connection.close()
        server.close()
        async with asyncio.timeout(DEADLINE):
            while state.tasks:
                await asyncio.wait(state.tasks)
