"""Lines to what runs in child processes: it says where it runs, and waits until it may go on."""

import asyncio
import socket

from tests.deadline import DEADLINE


class Line:
    """A line to a call: its end is an argument, on which the call says where it runs."""

    def __init__(self) -> None:
        self._here, there = socket.socketpair()
        self._here.setblocking(False)
        with there:
            self.end = there.makefile("rb")

    async def pid(self) -> int:
        """Return the process that has begun the call."""
        async with asyncio.timeout(DEADLINE):
            return int(await asyncio.get_running_loop().sock_recv(self._here, 100))

    def let_go(self) -> None:
        self._here.send(b"x")

    def close(self) -> None:
        self._here.close()
        self.end.close()
