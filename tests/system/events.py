"""A client of server-sent events over a socket of its own, which can leave what comes unread."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from tests.system.processes import DEADLINE, Service

_BUFFER = 4096  # bytes that the kernel keeps for a client who does not read


class Listener:
    """One stream of events."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def next(self) -> tuple[str, dict[str, Any]]:
        """Return the name and the data of the next event; raises `EOFError` at the end."""
        event = ""
        async with asyncio.timeout(DEADLINE):
            while True:
                line = (await self._reader.readline()).decode()
                if not line:
                    raise EOFError
                name, _, value = line.rstrip("\r\n").partition(": ")
                if name == "event":
                    event = value
                elif name == "data":
                    return event, json.loads(value)

    async def until(self, version: int) -> dict[str, Any]:
        """Take events until one has this version, and return its data; it must be the last."""
        while True:
            _, data = await self.next()
            assert data["version"] <= version
            if data["version"] == version:
                return data

    async def rest(self) -> bytes:
        """Return what comes until the server closes the connection."""
        async with asyncio.timeout(DEADLINE):
            return await self._reader.read()


@asynccontextmanager
async def listening(
    service: Service, token: str, *, path: str = "/v1/buffer/events"
) -> AsyncIterator[Listener]:
    """Listen in the context, once the server has answered 200."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, service.address)
    reader, writer = await asyncio.open_connection(sock=connection, limit=_BUFFER)
    try:
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        )
        async with asyncio.timeout(DEADLINE):
            head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 "), head
        yield Listener(reader, writer)
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
