"""A TCP proxy that loses connections and bytes on request, for tests of what a network does."""

import asyncio
import contextlib
import math
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar

_RESET = struct.pack("ii", 1, 0)  # to linger for no time: close with RST

_NO_LIMIT: Final = (math.inf, lambda: None)

P = TypeVar("P", bound="Proxy")


class Proxy:
    """Passes bytes on to a server of this host; made by `proxy_to`."""

    def __init__(self, port: int) -> None:
        self.port = 0
        """Where the proxy itself listens."""
        self.passed = 0
        """Bytes that went through, in both directions."""
        self._server_port = port
        self._limit: tuple[float, Callable[[], None]] = _NO_LIMIT
        self._is_cut = False
        self._held: bytes | None = None
        self._holding: set[asyncio.Event] = set()
        self._flows = asyncio.Event()
        self._flows.set()
        self._writers: set[asyncio.StreamWriter] = set()

    def freeze(self) -> None:
        """Be a black hole: connections are accepted, nothing is passed on any more."""
        self._flows.clear()

    def cut_after(self, size: int) -> None:
        """Reset all connections, new ones too until `mend`, when so many more bytes are through."""
        self._limit = (self.passed + size, self._cut)

    def mend(self) -> None:
        """Let new connections work again."""
        self._is_cut = False

    def break_after(self, size: int) -> None:
        """Reset every connection, once, when so many more bytes have gone through."""
        self._limit = (self.passed + size, self.reset)

    def hold_from(self, mark: bytes) -> None:
        """Hold a connection's bytes back from those on that have ``mark`` in them.

        What follows is still taken from the client, who may have gone when `let_through` passes
        it on.
        """
        self._held = mark

    @property
    def held(self) -> int:
        """How many connections are held back."""
        return len(self._holding)

    def let_through(self) -> None:
        """Pass on what is held back, and hold nothing back any more."""
        self._held = None
        for event in self._holding:
            event.set()
        self._holding.clear()

    def thaw(self) -> None:
        """Pass on what was held back and all that follows."""
        self._flows.set()

    def reset(self) -> None:
        """Reset every connection there is; new ones work."""
        for writer in self._writers:
            reset(writer)

    def _cut(self) -> None:
        self._is_cut = True
        self.reset()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        if self._is_cut:
            reset(writer)
            return
        self._writers.add(writer)
        try:
            there = await asyncio.open_connection("127.0.0.1", self._server_port)
            self._writers.add(there[1])
            await asyncio.gather(
                self._pump(self._holdable(reader), there[1]), self._pump(_chunks(there[0]), writer)
            )
            self._writers.discard(there[1])
        except OSError:
            writer.transport.abort()
        finally:
            self._writers.discard(writer)

    async def _holdable(self, reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
        """Yield a client's bytes; once they are held back, what it has sent in all, and its end."""
        async for data in _chunks(reader):
            if self._held is None or self._held not in data:
                yield data
                continue
            go = asyncio.Event()
            self._holding.add(go)
            rest = [data, *[more async for more in _chunks(reader)]]
            await go.wait()
            yield b"".join(rest)
            await asyncio.Event().wait()  # the server isn't told that the client has gone

    async def _pump(self, data: AsyncIterator[bytes], writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            async for chunk in data:
                await self._flows.wait()
                writer.write(chunk)
                self.passed += len(chunk)
                await writer.drain()
                if self.passed >= self._limit[0]:
                    (_, act), self._limit = self._limit, _NO_LIMIT
                    act()
        writer.close()


async def _chunks(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            yield data


def reset(writer: asyncio.StreamWriter) -> None:
    """Reset a connection, as a network or a dying process does."""
    if not writer.is_closing():
        raw: socket.socket = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()


@asynccontextmanager
async def proxy_to(port: int) -> AsyncIterator[Proxy]:
    """Run a proxy in front of a server that listens on ``port`` of 127.0.0.1."""
    async with serving(Proxy(port)) as proxy:
        yield proxy


@asynccontextmanager
async def serving(proxy: P) -> AsyncIterator[P]:
    """Run a proxy."""
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.ensure_future(proxy.serve(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.reset()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
