"""A receiver of webhooks: a small server that keeps what it gets, and misbehaves when told to."""

import asyncio
import base64
import hmac
import json
import ssl
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""Answers a request over its connection, or doesn't."""


@dataclass(frozen=True)
class Request:
    """A request, as it came."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON
        return json.loads(self.body)

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def is_signed_by(self, secret: str) -> bool:
        """Verify the signature as Standard Webhooks says."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        signed = f"{self.id}.{self.headers['webhook-timestamp']}.".encode() + self.body
        expected = base64.b64encode(hmac.digest(key, signed, "sha256")).decode()
        return f"v1,{expected}" in self.headers["webhook-signature"].split()


def answer(status: int, body: bytes = b"", **headers: str) -> Answer:
    """Return what answers as any server does; ``retry_after="1"`` is a header."""

    async def send(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        named = "".join(f"{n.replace('_', '-')}: {value}\r\n" for n, value in headers.items())
        head = f"HTTP/1.1 {status} Whatever\r\n{named}Content-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()

    return send


def raw(data: bytes) -> Answer:
    """Return what sends these bytes."""

    async def send(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return send


async def hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    """Answer never, until the client leaves."""
    await reader.read()


@dataclass
class Receiver:
    """What came to a port, and how the next requests are answered: 204 unless it is said."""

    port: int = 0
    requests: list[Request] = field(default_factory=list)
    answers: deque[Answer] = field(default_factory=deque)
    scheme: str = "http"
    came: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a request is there."""

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/hook?token=hidden"

    def take(self) -> list[Request]:
        """Return what came since the last look."""
        taken, self.requests = self.requests, []
        return taken

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one request over a connection, and answer it."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            line, *fields = head.strip().split("\r\n")
            headers = {n.lower(): v for n, _, v in (text.partition(": ") for text in fields)}
            body = await reader.readexactly(int(headers["content-length"]))
            self.requests.append(Request(line, headers, body))
            self.came.set()
            reply = self.answers.popleft() if self.answers else answer(204)
            await reply(reader, writer)
        writer.close()


@asynccontextmanager
async def receiving(
    host: str = "127.0.0.1", port: int = 0, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Receiver]:
    """Run a receiver, over TLS if it is given a context."""
    receiver = Receiver(scheme="http" if tls is None else "https")
    server = await asyncio.start_server(receiver.serve, host, port, ssl=tls)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()


@contextmanager
def receiving_beside() -> Iterator[Receiver]:
    """Run a receiver in a thread, for tests that aren't asynchronous."""
    ready = threading.Event()
    running: list[Receiver] = []
    loop = asyncio.new_event_loop()
    done = asyncio.Event()

    async def run() -> None:
        async with receiving() as receiver:
            running.append(receiver)
            ready.set()
            await done.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    ready.wait()
    try:
        yield running[0]
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()
        loop.close()
