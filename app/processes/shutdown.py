"""Early notice of the process's stop, for streaming responses.

A server that is told to stop waits for running responses before it shuts the application down. A
response that streams until something ends it must know sooner, so signals are handled here before
the server's own handlers, whichever server it is.
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
    """Set ``closing`` when a signal to stop arrives, then call the handler that was there.

    Only the main thread gets signals; in any other this does nothing.
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
        if callable(handler):  # else the signal ends the process, or is ignored
            signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            if callable(handler):
                signal.signal(number, handler)
