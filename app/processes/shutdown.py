"""The stop of the process, as soon as it is asked for.

A server that is told to stop waits for the answers under way, and only then shuts the application
down. An answer without an end has to hear of it sooner, so the signals are listened to here, before
the server's own handlers, whichever server that is.
"""

import asyncio
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def announced(closing: asyncio.Event) -> Iterator[None]:
    """Set ``closing`` when a signal to stop comes, and let its handler do what it did before.

    Only the main thread gets signals; in another one this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def handle(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(closing.set)
        handler = before[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    for number, handler in before.items():
        if callable(handler):  # else the process ends, or goes on, without being asked
            signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            if callable(handler):
                signal.signal(number, handler)
