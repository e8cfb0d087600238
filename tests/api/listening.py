"""A client of server-sent events, at the application's own interface: it may be slow, or leave."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.api import raw
from tests.api.conftest import Service
from tests.deadline import DEADLINE


@dataclass(frozen=True)
class Event:
    """An event as it came."""

    name: str
    number: int
    """Its id, where that is a number."""
    data: dict[str, Any]


class Stream:
    """The events that have come, in turn. A client that isn't ``taking`` lets the server wait."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.status: int | None = None
        self.taking = asyncio.Event()
        self.taking.set()
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()
        self._read = 0
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._commented = asyncio.Event()

    async def next(self) -> Event:
        """Return the next event."""
        async with asyncio.timeout(DEADLINE):
            return await self._events.get()

    async def next_comment(self) -> None:
        """Wait for another comment."""
        self._commented.clear()
        async with asyncio.timeout(DEADLINE):
            await self._commented.wait()

    @property
    def waiting(self) -> int:
        """How many events have come that nobody has asked for."""
        return self._events.qsize()

    async def until_ended(self) -> None:
        async with asyncio.timeout(DEADLINE):
            await self.ended.wait()

    async def take(self, answer: raw.Answer) -> None:
        """Read what has come; returns when the client takes more."""
        self.status, self.headers = answer.status, answer.headers
        self.begun.set()
        blocks = answer.body[self._read :].split(b"\n\n")
        self._read = len(answer.body) - len(blocks[-1])
        for block in blocks[:-1]:
            lines = [line.partition(b": ") for line in block.split(b"\n")]
            fields = {name.decode(): value.decode() for name, _, value in lines}
            if "event" in fields:
                data = json.loads(fields["data"])
                await self._events.put(Event(fields["event"], _number(fields["id"]), data))
            if block == b":":
                self._commented.set()
        await self.taking.wait()


def _number(id_: str) -> int:
    return int(id_) if id_.isdecimal() else 0


@asynccontextmanager
async def listening(
    service: Service,
    headers: dict[str, str],
    path: str = "/v1/buffer/events",
    *,
    query: bytes = b"",
) -> AsyncIterator[Stream]:
    """Listen in the context; at its end the client goes away, and the answer must end."""
    stream, leaves = Stream(), asyncio.Event()

    async def messages() -> AsyncIterator[raw.Message]:
        yield raw.part(b"", more=False)
        await leaves.wait()
        yield raw.DISCONNECT

    async def listen() -> raw.Answer:
        try:
            return await raw.request(
                service, "GET", path, headers, messages(), on_send=stream.take, query=query
            )
        finally:
            stream.begun.set()
            stream.ended.set()

    answering = asyncio.create_task(listen())
    try:
        async with asyncio.timeout(DEADLINE):
            await stream.begun.wait()
        yield stream
    finally:
        leaves.set()
        stream.taking.set()
        async with asyncio.timeout(DEADLINE):
            await answering
