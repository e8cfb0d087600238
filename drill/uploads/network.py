"""A bad network: a proxy that breaks connections at random bytes."""

import asyncio
import contextlib
import random
from dataclasses import dataclass
from typing import Final

from tests.proxy import Proxy, reset

_PIECE: Final = 256 * 1024  # bytes that are passed on at once
_HEADS: Final = 1_000  # bytes; a request or an answer without a body has fewer
_FOR_GOOD: Final = 2**62  # bytes


@dataclass(frozen=True)
class Cut:
    """Where a connection breaks: after how many bytes of the client's, and of the server's."""

    up: int
    down: int
    is_seen: bool
    """Whether the server is told; else the connection seems to live on."""


def random_cut(randomness: random.Random, largest: int) -> Cut:
    """Return a cut, at a byte of any order of magnitude, in what ``largest`` bytes take to send.

    A fifth of the connections break in an answer, when its request has arrived.
    """
    is_seen = randomness.random() < 0.8
    if randomness.random() < 0.2:
        return Cut(_FOR_GOOD, randomness.randrange(_HEADS), is_seen)
    size = int(2 ** randomness.uniform(6, (2 * largest).bit_length()))
    return Cut(size, _FOR_GOOD, is_seen)


class BadNetwork(Proxy):
    """Passes bytes on to a server of this host, and breaks connections sooner or later."""

    def __init__(self, port: int, randomness: random.Random, largest: int) -> None:
        """``largest`` is the number of bytes of the largest body."""
        super().__init__(port)
        self.cuts = 0
        self._randomness = randomness
        self._largest = largest

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        cut = random_cut(self._randomness, self._largest)
        self._writers.add(writer)
        try:
            there = await asyncio.open_connection("127.0.0.1", self._server_port)
        except OSError:  # the server is dead
            reset(writer)
        else:
            self._writers.add(there[1])
            is_cut = await self._serve(cut, (reader, writer), there)
            self._end(there[1], is_cut=is_cut, is_seen=cut.is_seen)
            self._end(writer, is_cut=is_cut)
            self.cuts += is_cut

    async def _serve(
        self,
        cut: Cut,
        here: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        there: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    ) -> bool:
        """Pass bytes on in both directions until either ends; returns whether by a cut."""
        ways = (
            asyncio.create_task(self._pass_on(here[0], there[1], cut.up)),
            asyncio.create_task(self._pass_on(there[0], here[1], cut.down)),
        )
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
        return any(way.result() for way in done)

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most: int
    ) -> bool:
        """Pass on up to ``most`` bytes; returns whether it were as many."""
        with contextlib.suppress(OSError):
            while most and (data := await reader.read(min(_PIECE, most))):
                writer.write(data)
                most -= len(data)
                self.passed += len(data)
                await writer.drain()
        return most == 0

    def _end(self, writer: asyncio.StreamWriter, *, is_cut: bool, is_seen: bool = True) -> None:
        if not is_seen and is_cut:
            return  # it is among the writers, and so ends with the proxy
        self._writers.discard(writer)
        if is_cut:
            reset(writer)
        else:
            writer.close()
