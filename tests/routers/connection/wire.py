"""A server of one small application over real sockets, whose clients send what bytes they like.

Time is the one thing that isn't real: it passes when a test says so.
"""

import asyncio
import contextlib
import heapq
import itertools
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from routers.connection.protocol import HttpProtocol
from tests.deadline import DEADLINE


@dataclass
class Seen:
    """A request as the application saw it; ``ended`` is false for one that broke off."""

    method: str
    target: str
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""
    ended: bool = False


@dataclass
class Echo:
    """An application that answers with what it is sent, and remembers it."""

    seen: list[Seen] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        target = (scope["raw_path"] + b"?" + scope["query_string"]).decode("latin-1").rstrip("?")
        request = Seen(scope["method"], target, list(scope["headers"]))
        self.seen.append(request)
        while not request.ended:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            request.body += message["body"]
            request.ended = not message["more_body"]
        body = json.dumps([request.method, request.target, request.body.decode("latin-1")])
        await answer(send, body.encode())


async def answer(send: Send, body: bytes, *, status: int = 200, length: bool = True) -> None:
    """Answer, with or without a Content-Length."""
    headers = [(b"content-length", b"%d" % len(body))] if length else []
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


@dataclass
class Answer:
    """An answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes


class Client:
    """A connection."""

    def __init__(self, address: tuple[str, int], *, receive_buffer: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_buffer is not None:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = self.socket.makefile("rb")

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.socket.sendall(piece)

    def end(self) -> None:
        """Send no more, but listen."""
        self.socket.shutdown(socket.SHUT_WR)

    def interim(self) -> Answer:
        """Read one head, to which no body belongs."""
        status = int(self._stream.readline().split()[1])
        headers: dict[str, str] = {}
        while line := self._stream.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        return Answer(status, headers, b"")

    def answer(self, *, to: str = "GET") -> Answer:
        """Read one whole answer."""
        head = self.interim()
        status, headers = head.status, head.headers
        if to == "HEAD" or status in {204, 304}:
            body = b""
        elif "content-length" in headers:
            body = self._stream.read(int(headers["content-length"]))
        elif headers.get("transfer-encoding") == "chunked":
            body = b"".join(self._chunks())
        else:
            body = self._stream.read()
        return Answer(status, headers, body)

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self._stream.readline(), 16):
            yield self._stream.read(size)
            self._stream.readline()
        self._stream.readline()

    def rest(self) -> bytes:
        """Read whatever comes until the server closes; a reset is an end, too."""
        with contextlib.suppress(ConnectionResetError):
            return self._stream.read()
        return b""

    def close(self) -> None:
        self._stream.close()
        self.socket.close()


class _Timer:
    def __init__(self, call: Callable[[], object]) -> None:
        self.call: Callable[[], object] | None = call

    def cancel(self) -> None:
        self.call = None


class _Clock:
    """A loop whose timers wait for `pass_time`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._now = 0.0
        self._numbers = itertools.count()
        self._timers: list[tuple[float, int, _Timer]] = []

    def call_later(self, delay: float, call: Callable[..., object], *args: Any) -> _Timer:  # noqa: ANN401
        timer = _Timer(lambda: call(*args))
        heapq.heappush(self._timers, (self._now + delay, next(self._numbers), timer))
        return timer

    async def pass_time(self, seconds: float) -> None:
        end = self._now + seconds
        while self._timers and self._timers[0][0] <= end:
            self._now, _, timer = heapq.heappop(self._timers)
            if timer.call is not None:
                timer.call()
                for _ in range(5):  # for what comes of it
                    await asyncio.sleep(0)
        self._now = end

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._loop, name)


class Server:
    """uvicorn in a thread of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self.received = 0
        self._clients: list[Client] = []
        self.clocks: dict[asyncio.AbstractEventLoop, _Clock] = {}
        server = self

        class Watched(HttpProtocol):
            def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401
                super().__init__(*args, **options)
                clock = server.clocks.setdefault(self.loop, _Clock(self.loop))
                self.loop = clock  # type: ignore[assignment]

            def data_received(self, data: bytes) -> None:
                super().data_received(data)
                server.received += len(data)

        config = uvicorn.Config(
            app, port=0, http=Watched, ws="none", lifespan="off", log_config=None, access_log=False
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        wait_for(lambda: self._server.started)

    def connect(
        self, *, receive_buffer: int | None = None, given_up_after: int | None = None
    ) -> Client:
        """Connect a client, for as long as the server runs.

        The kernel gives it up when it has taken nothing for so many milliseconds.
        """
        listening = self._server.servers[0].sockets[0]
        if given_up_after is not None:
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, given_up_after)
        address = listening.getsockname()
        client = Client(address, receive_buffer=receive_buffer)
        self._clients.append(client)
        return client

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._server.server_state.connections)

    @property
    def tasks(self) -> int:
        """How many requests the application is answering."""
        return len(self._server.server_state.tasks)

    def expect(self, count: int) -> None:
        """Wait until ``count`` bytes have come, of all clients."""
        wait_for(lambda: self.received >= count)

    def pass_time(self, seconds: float) -> None:
        """Let time pass for the connections."""
        for loop, clock in self.clocks.items():
            asyncio.run_coroutine_threadsafe(clock.pass_time(seconds), loop).result(DEADLINE)

    def call(self, function: Callable[[], object]) -> None:
        """Call a function in the server's thread."""
        for loop in self.clocks:
            loop.call_soon_threadsafe(function)

    def stop(self) -> None:
        for client in self._clients:
            client.close()
        self._server.should_exit = self._server.force_exit = True
        self._thread.join(DEADLINE)


def wait_for(condition: Callable[[], object]) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.002)


@contextlib.contextmanager
def serving(app: ASGIApp) -> Iterator[Server]:
    """Serve an application in the context."""
    server = Server(app)
    try:
        yield server
    finally:
        server.stop()
