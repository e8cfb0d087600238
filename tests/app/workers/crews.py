"""A hub with the links of workers, all in one process."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.workers.hub import Hub
from app.workers.link import Link
from app.workers.processes import Worker


@asynccontextmanager
async def linked(hub: Hub, number: int) -> AsyncIterator[Link]:
    """Open the link of a worker, which serves and then ends."""
    ours, theirs = socket.socketpair()
    ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    await hub.attend(Worker(number, 0, ours, ended))
    link = Link(theirs, number=number, of=2)
    async with link.open():
        link.tell("ready")
        yield link
