"""A client of the IETF draft "Resumable Uploads for HTTP", which no library speaks whole.

It hears where an upload goes on by the interim response 104, so it works on sockets.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from drill.uploads.clients import CHUNK, Upload
from tests.deadline import DEADLINE

_VERSION: Final = {"Upload-Draft-Interop-Version": "8"}
_PART: Final = {"Content-Type": "application/partial-upload"}
_TARGETS: Final = {
    "file": ("PUT", "/v1/send/{}?expires_in=0"),
    "blob": ("PUT", "/v1/blobs/{}/content"),
    "dump": ("POST", "/v1/dumps?name={}"),
}


@dataclass(frozen=True)
class Answer:
    """A response, interim or not, with the names of its header fields in lower case."""

    status: int
    headers: Mapping[str, str]


class Draft(Upload):
    """One by the draft."""

    async def create(self) -> str | None:
        method, target = _TARGETS[self.thing.kind]
        first = self.data[: self.piece()]
        headers = self._of(0, first) | {"Upload-Length": str(self.thing.size)}
        # what is whole is made twice where nobody heard of it; that is no harm to blobs alone
        must_hear = len(first) == self.thing.size and self.thing.kind != "blob"
        answer = await self._send(
            method, target.format(self.thing.name), headers, first, must_hear=must_hear
        )
        return self._made(answer, len(first))

    async def go_on(self, url: str) -> str | None:
        state = await self._send("HEAD", url, {})
        if state is None:
            return None
        offset = self.note(int(state.headers["upload-offset"]))
        if state.headers["upload-complete"] == "?1":
            return state.headers["content-location"]
        made = None
        while state is not None and made is None:
            piece = self.data[offset : offset + self.piece()]
            headers = self._of(offset, piece) | _PART | {"Upload-Offset": str(offset)}
            state = await self._send("PATCH", url, headers, piece)
            offset += len(piece)
            made = self._made(state, offset)
        return made

    def _of(self, offset: int, piece: bytes) -> dict[str, str]:
        is_last = offset + len(piece) == self.thing.size
        return {"Upload-Complete": "?1" if is_last else "?0"}

    def _made(self, answer: Answer | None, offset: int) -> str | None:
        """Return the path of what was made, if this was the last answer."""
        if answer is None:
            return None
        self.require(int(answer.headers["upload-offset"]), offset)
        return answer.headers.get("content-location")

    def _hear(self, answer: Answer) -> None:
        """Note what an answer says, interim or not: where to go on, and how far it is."""
        if self.url is None:
            self.url = answer.headers.get("location")
        if "upload-offset" in answer.headers and answer.status < 200:
            self.note(int(answer.headers["upload-offset"]))

    async def _send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes = b"",
        *,
        must_hear: bool = False,
    ) -> Answer | None:
        """Make a request, whose body waits for an interim response if there ``must_hear`` one."""
        base = self.client.base_url
        fields = {"Host": base.host, "Content-Length": str(len(body)), "Connection": "close"}
        fields |= {"Authorization": self.client.headers["authorization"], **_VERSION, **headers}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {it}" for name, it in fields.items())]
        async with asyncio.timeout(DEADLINE):
            reader, writer = await asyncio.open_connection(base.host, base.port)
            try:
                writer.write("\r\n".join([*lines, "", ""]).encode())
                begun = await self._answer(reader) if must_hear else None
                answer = begun
                if begun is None or begun.status < 200:
                    answer = await self._final(reader, asyncio.create_task(_write(writer, body)))
                assert answer is not None
                text = "" if method == "HEAD" else (await reader.read()).decode()
            finally:
                writer.transport.abort()
        return answer if await self.succeeded(method, answer.status, text) else None

    async def _final(self, reader: asyncio.StreamReader, sending: asyncio.Task[None]) -> Answer:
        try:
            while (answer := await self._answer(reader)).status < 200:
                pass
            return answer
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _answer(self, reader: asyncio.StreamReader) -> Answer:
        """Read the head of a response."""
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = (line.partition(":") for line in lines if line)
        headers = {name.lower(): value.strip() for name, _, value in fields}
        answer = Answer(int(first.split()[1]), headers)
        self._hear(answer)
        return answer


async def _write(writer: asyncio.StreamWriter, body: bytes) -> None:
    with suppress(OSError):  # refused, or broken: the reader hears
        for start in range(0, len(body), CHUNK):
            writer.write(body[start : start + CHUNK])
            await writer.drain()
