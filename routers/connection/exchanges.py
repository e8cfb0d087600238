"""Requests and their responses, with extensions of uvicorn's.

In ``scope["extensions"]``:

- ``http.response.zerocopysend``, ASGI's own: the kernel sends a part of a file. Raises
  `ConnectionError` when the client is gone or stops reading.
- ``http.response.abort``, ours: closes the connection, because the response can't be completed.
  Only the connections of `routers.connection.protocol` offer it.
- ``http.response.interim``, ours: sends an interim response, of a ``status`` from 102 on with
  ``headers``, unless the response has begun or the client doesn't read. HTTP/1.1 alone has them.
"""

import asyncio
import errno
import os
from collections.abc import Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from uvicorn._types import HTTPResponseStartEvent
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

ABORT: Final = "http.response.abort"
INTERIM: Final = "http.response.interim"
SEND_FILE: Final = "http.response.zerocopysend"

_REASONS: Final = {104: b"Upload Resumption Supported"}

PATIENCE: Final = 60.0
"""Seconds without reading after which a client counts as gone."""

_PIECE: Final = 16 * 1024 * 1024

_UNREACHABLE: Final = frozenset(
    {errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETUNREACH, errno.ENETDOWN}
)
"""What the kernel says of a client that it has given up, besides errors of connections."""

# the socket never blocks, so a thread is busy only as long as the disk is
_threads = ThreadPoolExecutor(8, thread_name_prefix="sendfile")


def extensions(transport: asyncio.Transport, version: str) -> dict[str, dict[object, object]]:
    """Return the extensions of a connection, for the scopes of its requests of a version."""
    offered: dict[str, dict[object, object]] = {ABORT: {}}
    if version != "1.0":  # RFC 9110 §15.2
        offered[INTERIM] = {}
    is_plain = transport.get_extra_info("socket") and not transport.get_extra_info("ssl_object")
    if is_plain and hasattr(os, "sendfile"):
        offered[SEND_FILE] = {}
    return offered


def size_of(message: MutableMapping[str, Any]) -> int:
    """Return the bytes of content that a message of a response has brought."""
    if message["type"] == SEND_FILE:
        return int(message["count"])
    return len(message.get("body", b""))


class Exchange(RequestResponseCycle):
    """A request and its response."""

    is_last = False
    """Whether the response has announced the end of the connection."""
    _headers: Iterable[tuple[bytes, bytes]] = ()
    _is_unframed = False

    @property
    def is_endless(self) -> bool:
        """Whether the response is a stream of events, which ends when the client leaves."""
        return (b"content-type", b"text/event-stream") in self._headers

    async def send(self, message: Any) -> None:  # noqa: ANN401 - uvicorn knows no extensions
        kind = message["type"]
        if kind == "http.response.start":
            self._headers = message.get("headers", ())
            if self.waiting_for_100_continue or self.scope["http_version"] == "1.0":
                self._frame(message)
            await RequestResponseCycle.send(self, message)
            if not self.keep_alive:
                self.is_last = self.keep_alive = True  # the connection closes better by itself
        elif kind == SEND_FILE:
            await self._send_file(message)
        elif kind == INTERIM:
            self._send_interim(message)
        elif kind == ABORT:
            self.disconnected = True
            self.transport.abort()
        else:
            if self._is_unframed:
                self.expected_content_length = len(message.get("body", b""))
            await RequestResponseCycle.send(self, message)  # `super` takes a microsecond

    def _send_interim(self, message: dict[str, Any]) -> None:
        # who only sends would be cut off once the buffers are full of what it doesn't read
        if self.response_started or self.disconnected or self.transport.get_write_buffer_size():
            return
        status: int = message["status"]
        fields = b"".join(b"%b: %b\r\n" % field for field in message["headers"])
        head = b"HTTP/1.1 %d %b\r\n" % (status, _REASONS.get(status, b""))
        self.transport.write(head + fields + b"\r\n")

    def _frame(self, message: HTTPResponseStartEvent) -> None:
        if self.waiting_for_100_continue and self.more_body:
            # whether the body still comes is the client's choice: what follows on
            # the connection could be taken for it, or it for a request
            self.keep_alive = False
        if self.scope["http_version"] == "1.0" and not _has_length(message):
            self.chunked_encoding = False  # the connection's end is the answer's
            self._is_unframed = True

    async def _send_file(self, message: dict[str, Any]) -> None:
        await self._drain()
        file: int = message["file"].fileno()
        offset = message.get("offset")
        start: int = os.lseek(file, 0, os.SEEK_CUR) if offset is None else offset
        count: int = message.get("count", os.fstat(file).st_size - start)
        if self.chunked_encoding or count > self.expected_content_length:
            raise RuntimeError("Response content longer than Content-Length")
        # a descriptor of our own: it stays ours when the server closes the connection
        target = os.dup(self.transport.get_extra_info("socket").fileno())
        try:
            await self._send_all(target, file, start, start + count)
        finally:
            os.close(target)
        self.expected_content_length -= count
        if not message.get("more_body", False):
            await super().send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _drain(self) -> None:
        transport = self.transport
        transport.set_write_buffer_limits(high=0)
        try:
            async with asyncio.timeout(PATIENCE):
                await self.flow.drain()
        except TimeoutError:
            raise ConnectionAbortedError from None
        finally:
            transport.set_write_buffer_limits()
        if self.disconnected:
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
            except OSError as error:
                if error.errno in _UNREACHABLE:
                    raise ConnectionAbortedError from error
                raise
            except asyncio.CancelledError:
                # the thread must not find that its descriptors are somebody else's
                await asyncio.gather(sending, return_exceptions=True)
                raise
            if sent == 0:
                raise OSError("the file is shorter than its object")
            position += sent

    async def _writable(self, target: int) -> None:
        if self.disconnected:
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


def _has_length(message: HTTPResponseStartEvent) -> bool:
    return any(name.lower() == b"content-length" for name, _ in message.get("headers", ()))
