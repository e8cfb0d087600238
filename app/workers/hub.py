"""The hub: what workers tell each other, and have in common, goes through their supervisor."""

import asyncio
from typing import Any

from app.workers.channel import Channel
from app.workers.processes import Worker


class Hub:
    """Answers the messages of workers."""

    def __init__(self) -> None:
        self._attending: dict[Worker, asyncio.Task[None]] = {}

    async def attend(self, worker: Worker) -> None:
        """Begin to answer a worker's messages, which goes on until it ends."""
        worker.channel = channel = await Channel.over(worker.connection)
        self._attending[worker] = asyncio.create_task(self._attend(worker, channel))

    async def aclose(self) -> None:
        """Return when all workers have hung up, which their end does."""
        await asyncio.gather(*self._attending.values())

    async def _attend(self, worker: Worker, channel: Channel) -> None:
        try:
            while (message := await channel.receive()) is not None:
                self._answer(worker, message)
        finally:
            worker.channel = None
            channel.close()
            del self._attending[worker]

    def _answer(self, worker: Worker, message: list[Any]) -> None:
        match message:
            case ["ready"]:
                worker.ready.set()
