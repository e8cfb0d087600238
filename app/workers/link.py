"""The link: a worker's end of the channel to its supervisor."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog

from app.workers.channel import Channel

log = structlog.get_logger(__name__)


class Link:
    """What a worker has to tell its supervisor, and hears from it.

    When the supervisor is gone, the worker stops as if it had been told to.
    """

    def __init__(self, connection: socket.socket, *, number: int, of: int) -> None:
        """``number`` is the worker's own, from 1 to ``of``."""
        self.number = number
        self.of = of
        self._on_drain: list[Callable[[], None]] = []
        self._connection = connection
        self._channel: Channel | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Listen to the supervisor while the context lasts."""
        self._channel = channel = await Channel.over(self._connection)
        listening = asyncio.create_task(self._listen(channel), name="link")
        try:
            yield
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening
            channel.close()

    def on_drain(self, leave: Callable[[], None]) -> None:
        """Have something done when this worker is to leave its clients to the others."""
        self._on_drain.append(leave)

    def tell(self, *message: Any) -> None:  # noqa: ANN401 - what JSON can say
        """Tell the supervisor something."""
        assert self._channel is not None
        self._channel.send(*message)

    async def _listen(self, channel: Channel) -> None:
        while (message := await channel.receive()) is not None:
            self._hear(message)
        log.warning("the supervisor is gone; this worker stops", worker=self.number)
        os.kill(os.getpid(), signal.SIGTERM)

    def _hear(self, message: list[Any]) -> None:
        match message:
            case ["drain"]:
                for leave in self._on_drain:
                    leave()
