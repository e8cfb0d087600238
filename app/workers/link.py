"""The link: a worker's end of the channel to its supervisor."""

import asyncio
import itertools
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import structlog

from app.errors import ServiceUnavailable
from app.metrics.figures import figures
from app.workers.channel import Channel

_STOPPING: Final = "The service is stopping"

log = structlog.get_logger(__name__)

Late = Callable[[Any], None]
"""Is given an answer that nobody waits for any more."""


class Link:
    """What a worker has to tell its supervisor, asks, and hears from it.

    When the supervisor is gone, the worker stops as if it had been told to.
    """

    def __init__(self, connection: socket.socket, *, number: int, of: int) -> None:
        """``number`` is the worker's own, from 1 to ``of``."""
        self.number = number
        self.of = of
        self.leads = False
        """Whether this worker does the background work for all."""
        self.on_deliver: Callable[[str, str], None] = lambda *_: None
        self.on_wake: Callable[[str | None], None] = lambda _: None
        """Wakes a task of the leader by its name; None: all, since it leads from now on."""
        self._on_drain: list[Callable[[], None]] = []
        self._connection = connection
        self._channel: Channel | None = None
        self._numbers = itertools.count(1)
        self._asked: dict[int, tuple[asyncio.Future[Any], Late]] = {}
        self._is_gone = False  # the supervisor

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Listen to the supervisor while the context lasts; at its end, report what counts."""
        self._channel = channel = await Channel.over(self._connection)
        listening = asyncio.create_task(self._listen(channel), name="link")
        try:
            yield
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening
            self.tell("figures", figures())
            await channel.aclose()

    def on_drain(self, leave: Callable[[], None]) -> None:
        """Have something done when this worker is to leave its clients to the others."""
        self._on_drain.append(leave)

    def tell(self, *message: Any) -> None:  # noqa: ANN401 - what JSON can say
        """Tell the supervisor something."""
        if self._channel is not None:
            self._channel.send(*message)

    async def ask(self, question: str, *arguments: Any, late: Late = lambda _: None) -> Any:  # noqa: ANN401
        """Ask the supervisor; raises `ServiceUnavailable` when it is gone.

        ``late`` gets an answer that comes when the caller has been cancelled.
        """
        if self._is_gone:
            raise ServiceUnavailable(_STOPPING)
        number = next(self._numbers)
        answered = asyncio.get_running_loop().create_future()
        self._asked[number] = answered, late
        self.tell(question, number, *arguments)
        return await answered

    def delegate(self, task: str) -> bool:
        """Have the leader wake one of its tasks; False: this is the leader."""
        if not self.leads:
            self.tell("wake", task)
        return not self.leads

    async def _listen(self, channel: Channel) -> None:
        while (message := await channel.receive()) is not None:
            self._hear(message)
        self._is_gone = True
        for answered, _ in self._asked.values():
            if not answered.done():
                answered.set_exception(ServiceUnavailable(_STOPPING))
        log.warning("the supervisor is gone; this worker stops", worker=self.number)
        os.kill(os.getpid(), signal.SIGTERM)

    def _hear(self, message: list[Any]) -> None:
        match message:
            case ["answer", number, value]:
                answered, late = self._asked.pop(number)
                if answered.done():
                    late(value)
                else:
                    answered.set_result(value)
            case ["deliver", topic, text]:
                self.on_deliver(topic, text)
            case ["report"]:
                self.tell("figures", figures())
            case ["lead"]:
                self.leads = True
                self.on_wake(None)
            case ["wake", task]:
                self.on_wake(task)
            case ["drain"]:
                for leave in self._on_drain:
                    leave()
