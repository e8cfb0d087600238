"""The outbox: tells of events once they have been committed."""

import asyncio
from collections.abc import Callable
from typing import Final

from app.bus.local import Bus
from app.events import lines
from app.events.entities import Event

TOPIC: Final = "events"


def topic_of(account_id: int) -> str:
    """Return the bus's topic for the events of an account."""
    return f"{TOPIC}:{account_id}"


class Outbox:
    """Listens to a database: logs what is about security, and hints at all events on the bus."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.wake_deliveries: Callable[[], None] = lambda: None
        """Is called when webhooks are to be told."""
        self._publishing: set[asyncio.Task[None]] = set()

    def tell(self, notice: object) -> None:
        """Tell of an event that has been committed; never waits."""
        assert isinstance(notice, Event)
        if notice.type.is_about_security:
            lines.write(notice)
        if notice.is_awaited:
            self.wake_deliveries()
        task = asyncio.create_task(
            self._bus.publish(topic_of(notice.account_id), notice.type.value)
        )
        self._publishing.add(task)
        task.add_done_callback(self._publishing.discard)

    async def aclose(self) -> None:
        """Finish what is being published."""
        await asyncio.gather(*self._publishing, return_exceptions=True)
