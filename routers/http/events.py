"""Server-sent events, streamed until the client disconnects, its access ends or we stop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any, Final

from pydantic_core import to_json
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from app import metrics
from routers.http.bodies import IDLE_TIMEOUT, ClientDisconnected, disconnected

RETRY: Final = b"retry: 3000\n\n"
"""Tells a client how many milliseconds to wait before it reconnects."""

COMMENT: Final = b":\n\n"
"""Keeps the connection alive: an event without a meaning."""

_FAREWELL: Final = 1.0  # seconds for the client to take the end of its stream


def event(name: str, id: int | str, data: Any) -> bytes:  # noqa: A002, ANN401 - what becomes JSON
    """Render an event."""
    return b"event: %b\nid: %b\ndata: %b\n\n" % (name.encode(), str(id).encode(), to_json(data))


class EventStream(Response):
    """A stream of events, which owns their source; ends when ``closing`` is set."""

    def __init__(
        self, events: AsyncIterator[bytes], opened: AsyncExitStack, closing: asyncio.Event
    ) -> None:
        self.status_code = 200
        self.background = None
        self.init_headers(
            {
                "Content-Type": "text/event-stream",
                "Cache-Control": "no-store",
                "X-Accel-Buffering": "no",  # nginx would buffer events
                "X-Content-Type-Options": "nosniff",
            }
        )
        self._events = events
        self._opened = opened
        self._closing = closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._opened:
            if scope["method"] == "HEAD":
                await send(self._start())
                await _within(_FAREWELL, send, b"", more=False)
                return
            metrics.event_streams.value += 1
            try:
                await self._stream(receive, send)
            finally:
                metrics.event_streams.value -= 1

    async def _stream(self, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self._send(send))
        gone = asyncio.create_task(disconnected(receive))
        closing = asyncio.create_task(self._closing.wait())
        tasks = (sending, gone, closing)
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if not gone.cancelled():
            return  # no failure: clients come and go
        if not sending.cancelled():
            sending.result()
        await _within(_FAREWELL, send, b"", more=False)

    def _start(self) -> Message:
        return {
            "type": "http.response.start",
            "status": self.status_code,
            "headers": self.raw_headers,
        }

    async def _send(self, send: Send) -> None:
        await send(self._start())
        await _within(IDLE_TIMEOUT, send, RETRY)
        async for data in self._events:
            await _within(IDLE_TIMEOUT, send, data)


async def _within(seconds: float, send: Send, data: bytes, *, more: bool = True) -> None:
    """Send a part of the body; a client that doesn't take it in time counts as gone."""
    try:
        async with asyncio.timeout(seconds):
            await send({"type": "http.response.body", "body": data, "more_body": more})
    except TimeoutError:
        raise ClientDisconnected from None
