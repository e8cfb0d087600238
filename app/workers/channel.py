"""The channel between a worker and its supervisor: messages over a pair of sockets."""

import asyncio
import json
import socket
from contextlib import suppress
from typing import Any, Final, Self

_LENGTH: Final = 4  # bytes in front of each message
_BACKLOG: Final = 8 * 1024 * 1024
"""Bytes that wait for a process which has stopped reading; beyond them messages are lost."""


class Channel:
    """One end of a pair of sockets, for lists of plain values.

    Sending never waits. What a process that doesn't read misses are hints and questions, and
    whoever asks waits for an answer only so long.
    """

    def __init__(
        self, end: socket.socket, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.socket: Final = end
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, end: socket.socket) -> Self:
        """Open one end over its socket."""
        return cls(end, *await asyncio.open_connection(sock=end))

    def send(self, *message: Any) -> None:  # noqa: ANN401 - what JSON can say
        """Send a message, unless too many wait already."""
        transport = self._writer.transport
        if transport.is_closing() or transport.get_write_buffer_size() > _BACKLOG:
            return
        data = json.dumps(message).encode()
        self._writer.write(len(data).to_bytes(_LENGTH) + data)

    async def receive(self) -> list[Any] | None:
        """Return the next message; None once the other process has closed its end, or died."""
        try:
            length = int.from_bytes(await self._reader.readexactly(_LENGTH))
            message: list[Any] = json.loads(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        return message

    def close(self) -> None:
        self._writer.close()

    async def aclose(self) -> None:
        """Close when everything has been sent."""
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()
