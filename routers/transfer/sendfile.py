"""Sending a file by the kernel, over uvicorn's own socket.

ASGI has no way to say "send this part of that file" that uvicorn knows, so this reaches for the
connection behind its ``send``. Where it isn't what we know (another server, TLS, tests) the
caller streams instead.
"""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from starlette.types import Scope

from routers.transfer.incoming import IDLE_TIMEOUT, ClientDisconnected
from storage.base import ByteRange

_PIECE: Final = 16 * 1024 * 1024
_NEEDED: Final = ("transport", "flow", "disconnected", "expected_content_length")

# the socket never blocks, so a thread is busy only as long as the disk is
_threads = ThreadPoolExecutor(8, thread_name_prefix="sendfile")


class KernelSender:
    """Sends parts of files over one request's connection."""

    def __init__(self, cycle: Any) -> None:  # noqa: ANN401 - uvicorn's RequestResponseCycle
        self._cycle = cycle
        self._socket = cycle.transport.get_extra_info("socket")

    @classmethod
    def of(cls, scope: Scope) -> "KernelSender | None":
        """Return the sender for a request's connection, if it has what is needed."""
        cycle = getattr(scope.get("holdall.send"), "__self__", None)
        if not all(hasattr(cycle, name) for name in _NEEDED) or not hasattr(os, "sendfile"):
            return None
        assert cycle is not None
        transport = cycle.transport
        if transport.get_extra_info("ssl_object") or not transport.get_extra_info("socket"):
            return None
        return cls(cycle)

    async def send(self, file: int, part: ByteRange) -> None:
        """Send a part of the open file, after the headers; raises `ClientDisconnected`."""
        await self._drained()
        # a descriptor of our own: it stays ours when the server closes the connection
        target = os.dup(self._socket.fileno())
        try:
            await self._send_all(target, file, part)
        finally:
            os.close(target)
        self._cycle.expected_content_length -= part.length

    async def _drained(self) -> None:
        transport = self._cycle.transport
        transport.set_write_buffer_limits(high=0)
        try:
            async with asyncio.timeout(IDLE_TIMEOUT):
                await self._cycle.flow.drain()
        except TimeoutError:
            raise ClientDisconnected from None
        finally:
            transport.set_write_buffer_limits()

    async def _send_all(self, target: int, file: int, part: ByteRange) -> None:
        loop = asyncio.get_running_loop()
        position = part.start
        while position < part.stop:
            count = min(_PIECE, part.stop - position)
            try:
                sent = await loop.run_in_executor(
                    _threads, os.sendfile, target, file, position, count
                )
            except BlockingIOError:
                await self._writable(target)
                continue
            except (BrokenPipeError, ConnectionError):
                raise ClientDisconnected from None
            if sent == 0:
                raise OSError("the file is shorter than its object")
            position += sent

    async def _writable(self, target: int) -> None:
        if self._cycle.disconnected:
            raise ClientDisconnected
        loop = asyncio.get_running_loop()
        writable = asyncio.Event()
        loop.add_writer(target, writable.set)
        try:
            async with asyncio.timeout(IDLE_TIMEOUT):
                await writable.wait()
        except TimeoutError:
            raise ClientDisconnected from None
        finally:
            loop.remove_writer(target)
