"""Clients that upload a thing, and go on wherever it broke off until it is whole."""

import asyncio
import base64
import random
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncIterator
from typing import Final

import httpx

from drill.uploads.things import MIB, Thing, Way

CHUNK: Final = 256 * 1024
"""Bytes that are sent at once."""

_PAUSE: Final = 0.1  # seconds before another try
_AGAIN: Final = {httpx.codes.CONFLICT, httpx.codes.LOCKED}
"""What clients try again after, besides errors of the server's."""

BROKEN: Final = "broken connections"


class Wrong(Exception):
    """An answer that makes a client give up, or that can't be true."""


class Upload(ABC):
    """An upload of one thing by one client."""

    def __init__(
        self, client: httpx.AsyncClient, thing: Thing, data: bytes, tally: Counter[str]
    ) -> None:
        """``tally`` counts what went wrong, by what it was."""
        self.client = client
        self.thing = thing
        self.data = data
        self.url: str | None = None
        self.randomness = random.Random(f"pieces of {thing.seed}")
        self._tally = tally
        self._told = 0  # the highest offset that was acknowledged

    async def run(self) -> str:
        """Upload it; returns the path of what it became. Raises `Wrong`."""
        while True:
            try:
                made = await (self.create() if self.url is None else self.go_on(self.url))
            except (httpx.TransportError, OSError, EOFError):
                await self._try_again(BROKEN)
                made = None
            if made is not None:
                return made

    @abstractmethod
    async def create(self) -> str | None:
        """Create the upload; returns the path of what it became, if it is complete."""

    @abstractmethod
    async def go_on(self, url: str) -> str | None:
        """Send more of it, or find that nothing is missing; returns as `create` does."""

    async def succeeded(self, method: str, status: int, text: str) -> bool:
        """Tell whether an answer is a success, or raise `Wrong` if there can't be one later."""
        if httpx.codes.is_success(status):
            return True
        if status not in _AGAIN and not httpx.codes.is_server_error(status):
            raise Wrong(f"{method} of {self.thing.name}: {status} {text[:200]}")
        await self._try_again(f"{method} {status}")
        return False

    def note(self, offset: int) -> int:
        """Note the offset that an answer tells, which must not have fallen, and return it."""
        if offset < self._told:
            raise Wrong(f"{self.thing.name}: {self._told} bytes were kept, and {offset} are left")
        self._told = offset
        return offset

    def require(self, offset: int, expected: int) -> None:
        """Raise `Wrong` if an answer tells another offset than it must."""
        if self.note(offset) != expected:
            raise Wrong(f"{self.thing.name}: {offset} bytes are kept instead of {expected}")

    def piece(self) -> int:
        """Return the bytes of the next request, at most."""
        return self.randomness.randrange(1, 16 * MIB) if self.thing.way.is_in_pieces else 2**62

    async def _try_again(self, what: str) -> None:
        self._tally[what] += 1
        await asyncio.sleep(self.randomness.random() * _PAUSE)


class Tus(Upload):
    """One by tus 1.0."""

    async def create(self) -> str | None:
        headers = _TUS | self._metadata() | {"Upload-Length": str(self.thing.size)}
        first = b""
        if self.thing.way is Way.CREATION:
            first = self.data[: self._first_piece()]
            headers |= _BYTES
        answer = await self._send("POST", "/v1/uploads", headers, first)
        if answer is None:
            return None
        self.url = answer.headers["location"]
        if first:
            self.require(_offset(answer), len(first))
        made: str | None = answer.headers.get("content-location")
        return made

    async def go_on(self, url: str) -> str | None:
        state = await self._send("HEAD", url, _TUS)
        while state is not None:
            offset = self.note(_offset(state))
            if offset == self.thing.size:
                return str(state.headers["content-location"])
            headers = _TUS | _BYTES | {"Upload-Offset": str(offset)}
            piece = self.data[offset : offset + self.piece()]
            state = await self._send("PATCH", url, headers, piece)
            if state is not None:
                self.require(_offset(state), offset + len(piece))
        return None

    async def _send(
        self, method: str, url: str, headers: dict[str, str], body: bytes = b""
    ) -> httpx.Response | None:
        """Make a request; returns its answer if that is a success, None if it may be one later."""
        size = {"Content-Length": str(len(body))}
        content = _chunks(body) if body else None
        answer = await self.client.request(method, url, headers=headers | size, content=content)
        is_success = await self.succeeded(method, answer.status_code, answer.text)
        return answer if is_success else None

    def _first_piece(self) -> int:
        # where the answer is lost, all is sent anew: blobs alone may be made twice
        if self.thing.kind == "blob" and self.randomness.random() < 0.5:
            return self.thing.size
        return self.randomness.randrange(1, self.thing.size)

    def _metadata(self) -> dict[str, str]:
        values = {"kind": self.thing.kind, "filename": self.thing.name, "expires_in": "0"}
        values |= {"id": self.thing.name} if self.thing.kind == "blob" else {}
        pairs = (f"{key} {base64.b64encode(it.encode()).decode()}" for key, it in values.items())
        return {"Upload-Metadata": ",".join(pairs)}


_TUS: Final = {"Tus-Resumable": "1.0.0"}
_BYTES: Final = {"Content-Type": "application/offset+octet-stream"}


def _offset(answer: httpx.Response) -> int:
    return int(answer.headers["upload-offset"])


async def _chunks(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), CHUNK):
        yield body[start : start + CHUNK]
