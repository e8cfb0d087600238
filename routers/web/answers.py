"""Sending of one answer: uvicorn's, and what the connection offers the application beside it.

In ``scope["extensions"]``:

- ``http.response.zerocopysend``, ASGI's own: the kernel sends a part of a file. Raises
  `ConnectionError` when the client is gone or takes nothing for long.
- ``http.response.abort``, ours: the connection breaks off, since an answer that was begun can't be
  finished. Only the connections of `routers.web.protocol` offer it.
"""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from starlette.types import Message
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

ABORT: Final = "http.response.abort"
SEND_FILE: Final = "http.response.zerocopysend"

PATIENCE: Final = 60.0
"""Seconds that a client may take nothing of an answer before it counts as gone."""

_PIECE: Final = 16 * 1024 * 1024

# the socket never blocks, so a thread is busy only as long as the disk is
_threads = ThreadPoolExecutor(8, thread_name_prefix="sendfile")


def extensions(transport: asyncio.Transport) -> dict[str, dict[object, object]]:
    """Return what a connection offers, for the scopes of its requests."""
    offered: dict[str, dict[object, object]] = {ABORT: {}}
    is_plain = transport.get_extra_info("socket") and not transport.get_extra_info("ssl_object")
    if is_plain and hasattr(os, "sendfile"):
        offered[SEND_FILE] = {}
    return offered


class Answer:
    """The ``send`` of one request; ``close`` is called for an answer that ends its connection."""

    def __init__(self, cycle: RequestResponseCycle, close: Callable[[], None]) -> None:
        self._cycle = cycle
        self._close = close
        self._is_unframed = False

    async def __call__(self, message: Message) -> None:
        match message["type"]:
            case "http.response.start":
                await self._start(message)
            case "http.response.zerocopysend":
                await self._send_file(message)
            case "http.response.abort":
                self._cycle.disconnected = True
                self._cycle.transport.abort()
            case _:
                if self._is_unframed:
                    self._cycle.expected_content_length = len(message.get("body", b""))
                await self._cycle.send(message)  # type: ignore[arg-type] # Starlette's type is wider

    async def _start(self, message: Message) -> None:
        cycle = self._cycle
        if cycle.waiting_for_100_continue and cycle.more_body:
            # whether the body comes after this answer is the client's choice: what follows on
            # the connection could be taken for it, or it for a request
            cycle.keep_alive = False
        if cycle.scope["http_version"] == "1.0" and not _has_length(message):
            cycle.chunked_encoding = False  # the connection's end is the answer's
            self._is_unframed = True
        await cycle.send(message)  # type: ignore[arg-type]
        if not cycle.keep_alive:
            cycle.keep_alive = True  # the connection knows better how to close
            self._close()

    async def _send_file(self, message: Message) -> None:
        cycle = self._cycle
        await self._drain()
        file: int = message["file"].fileno()
        offset = message.get("offset")
        start: int = os.lseek(file, 0, os.SEEK_CUR) if offset is None else offset
        count: int = message.get("count", os.fstat(file).st_size - start)
        if cycle.chunked_encoding or count > cycle.expected_content_length:
            raise RuntimeError("Response content longer than Content-Length")
        # a descriptor of our own: it stays ours when the server closes the connection
        target = os.dup(cycle.transport.get_extra_info("socket").fileno())
        try:
            await self._send_all(target, file, start, start + count)
        finally:
            os.close(target)
        cycle.expected_content_length -= count
        if not message.get("more_body", False):
            await cycle.send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _drain(self) -> None:
        transport = self._cycle.transport
        transport.set_write_buffer_limits(high=0)
        try:
            async with asyncio.timeout(PATIENCE):
                await self._cycle.flow.drain()
        except TimeoutError:
            raise ConnectionAbortedError from None
        finally:
            transport.set_write_buffer_limits()
        if self._cycle.disconnected:
            raise ConnectionAbortedError

    async def _send_all(self, target: int, file: int, position: int, stop: int) -> None:
        loop = asyncio.get_running_loop()
        while position < stop:
            count = min(_PIECE, stop - position)
            sending = loop.run_in_executor(_threads, os.sendfile, target, file, position, count)
            try:
                sent = await asyncio.shield(sending)
            except BlockingIOError:
                await self._writable(target)
                continue
            except asyncio.CancelledError:
                # the thread must not find that its descriptors are somebody else's
                await asyncio.gather(sending, return_exceptions=True)
                raise
            if sent == 0:
                raise OSError("the file is shorter than its object")
            position += sent

    async def _writable(self, target: int) -> None:
        if self._cycle.disconnected:
            raise ConnectionAbortedError
        loop = asyncio.get_running_loop()
        writable = asyncio.Event()
        loop.add_writer(target, writable.set)
        try:
            async with asyncio.timeout(PATIENCE):
                await writable.wait()
        except TimeoutError:
            raise ConnectionAbortedError from None
        finally:
            loop.remove_writer(target)


def _has_length(message: Message) -> bool:
    return any(name.lower() == b"content-length" for name, _ in message.get("headers", ()))
