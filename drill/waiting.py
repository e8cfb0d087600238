"""Waiting for what servers do in their own time."""

import time
from collections.abc import Callable

from tests.deadline import DEADLINE


def wait_for(condition: Callable[[], bool]) -> None:
    """Return once a condition holds; raises `TimeoutError` when it takes too long."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"it did not happen in {DEADLINE:.0f} s")
        time.sleep(0.05)
