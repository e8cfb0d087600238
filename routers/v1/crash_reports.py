"""Forms of crash uploaders, read as they arrive: a minidump, annotations, and attachments.

A report is too good to be lost for its annotations: one that is too large for a text becomes an
attachment of its name, and so do those that are too many.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, aclosing
from functools import partial
from typing import Any, Final

from fastapi import Request
from uuid_utils import uuid7

from app.accounts.identity import Access
from app.dumps import rows as dumps
from app.dumps.attachments import NewAttachment
from app.dumps.labels import label_of
from app.dumps.rows import MAX_NAME, DumpFile, NewDump
from app.errors import ContentTooLarge, FieldError, InvalidRequest
from app.objects.lifecycle import Received
from app.objects.uploads import Body
from app.runtime import Runtime
from app.security.characters import without_bidi
from routers.http.gzip import inflate, limited
from routers.http.headers import media_type
from routers.http.multipart import MAX_FIELD, Part, read_parts

MAX_ANNOTATIONS: Final = 512
MAX_ATTACHMENTS: Final = 32
MAX_SPILLED: Final = 256
"""Annotations that become attachments; of what is beyond, the report tells the number alone."""

_MAX_PARTS: Final = 16_384
_MAX_TEXTS: Final = 1024 * 1024  # characters of all annotations of a report
_MAX_JSON: Final = 1024 * 1024  # bytes
_IN_LOOP: Final = 64 * 1024  # bytes of JSON that are parsed in the loop
_FILE: Final = "upload_file_minidump"
_EXTRA: Final = "extra"  # Gecko's annotations
_SENTRY: Final = "sentry"  # an event without its crash
_GZIP: Final = b"\x1f\x8b"
_TEXT: Final = "text/plain; charset=utf-8"
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")


class CrashReport:
    """A report on its way in; what is received lives as long as the stack."""

    def __init__(self, runtime: Runtime, access: Access, stack: AsyncExitStack) -> None:
        self.attachments: list[tuple[NewAttachment, Received]] = []
        self._runtime = runtime
        self._receive = partial(runtime.uploads.receive, access, kind=dumps.KIND, admit=dumps.admit)
        self._stack = stack
        self._annotations: dict[str, str] = {}
        self._characters = 0
        self._files = self._spilled = self._left_out = 0
        self._release: str | None = None
        self._name = ""
        self._received: Received | None = None

    async def read(self, request: Request, body: AsyncIterator[bytes]) -> None:
        """Read the request's form."""
        parts = await self._stack.enter_async_context(
            aclosing(read_parts(request, chunks=body, max_parts=_MAX_PARTS))
        )
        async for part in parts:
            if part.name == _FILE:
                await self._take_dump(part)
            elif part.name in {_EXTRA, _SENTRY}:
                await self._take_json(part)
            elif part.filename is None:
                await self._take_text(part)
            else:
                await self._take_file(part, part.chunks())

    def dump(self) -> tuple[NewDump, Received]:
        """Return the dump that the report is about, and its bytes; raises `InvalidRequest`."""
        if self._received is None:
            missing = FieldError(loc=["body", _FILE], msg="there is none")
            raise InvalidRequest("The form has no minidump", errors=[missing])
        left_out = f"{self._left_out} annotations more came than a report keeps."
        new = NewDump(
            str(uuid7()),
            DumpFile(self._name, is_minidump=True),
            label_of(self._annotations, self._release),
            left_out if self._left_out else "",
            self._annotations,
            None,
        )
        return new, self._received

    async def _take_dump(self, part: Part) -> None:
        """Receive the minidump; one that is gzipped is inflated, whatever its name says."""
        if self._received is not None:
            raise InvalidRequest("The form has two minidumps")
        name, chunks, encoding = part.filename or "", part.chunks(), part.encoding
        start, _ = await _beginning(chunks, len(_GZIP))
        chunks = _rejoined(start, chunks)
        if start.startswith(_GZIP):
            chunks = limited(inflate(chunks), self._runtime.settings.max_dump_bytes)
            name, encoding = name.removesuffix(".gz"), None
        self._received = await self._stack.enter_async_context(
            self._receive(body=Body(chunks, encoding=encoding), inline=False)
        )
        self._name = _tidy(name, "minidump.dmp")

    async def _take_file(self, part: Part, chunks: AsyncIterator[bytes]) -> None:
        if self._files == MAX_ATTACHMENTS:
            raise ContentTooLarge(f"A report may have up to {MAX_ATTACHMENTS} attachments")
        self._files += 1
        name = _tidy(part.filename or "", "attachment")
        body = Body(chunks, encoding=part.encoding)
        await self._attach(part.name, name, part.content_type, body, inline=False)

    async def _take_text(self, part: Part) -> None:
        chunks = part.chunks()
        start, is_whole = await _beginning(chunks, MAX_FIELD)
        if is_whole:
            await self._annotate(part.name, start, part.content_type)
        else:
            await self._spill(part.name, Body(_rejoined(start, chunks)), part.content_type)

    async def _take_json(self, part: Part) -> None:
        """Take Gecko's annotations out of their JSON, or the release out of Sentry's."""
        chunks = part.chunks()
        start, is_whole = await _beginning(chunks, _MAX_JSON)
        async with self._runtime.memory.hold(len(start)):
            members = await _members(start) if is_whole else None
        if members is not None and part.name == _EXTRA:
            for name, value in members.items():
                await self._take_member(name, value)
            return
        if members is not None and isinstance(members.get("release"), str):
            self._release = _clean(members["release"])
        if part.filename is not None:
            await self._take_file(part, _rejoined(start, chunks))
        elif is_whole and len(start) <= MAX_FIELD:
            await self._annotate(part.name, start, part.content_type)
        else:
            await self._spill(part.name, Body(_rejoined(start, chunks)), part.content_type)

    async def _take_member(self, name: str, value: Any) -> None:  # noqa: ANN401 - JSON
        is_text = isinstance(value, str)
        text = _clean(value if is_text else json.dumps(value, ensure_ascii=False))
        await self._annotate(_clean(name), text.encode(), _TEXT if is_text else "application/json")

    async def _annotate(self, name: str, value: bytes, content_type: str) -> None:
        text = value.decode("utf-8", "replace")  # half a character is no reason to lose a report
        is_new = name not in self._annotations
        characters = self._characters + len(name) + len(text)
        if (
            len(value) > MAX_FIELD
            or characters > _MAX_TEXTS
            or (is_new and len(self._annotations) == MAX_ANNOTATIONS)
        ):
            await self._spill(name, Body(_once(value), len(value)), content_type)
            return
        self._characters = characters
        self._annotations[name] = text

    async def _spill(self, name: str, body: Body, content_type: str) -> None:
        """Make an attachment of an annotation, as long as there aren't too many of these."""
        if self._spilled == MAX_SPILLED:
            self._left_out += 1
            async for _ in body.chunks:
                pass
            return
        self._spilled += 1
        await self._attach(name, _tidy(name, "annotation"), content_type, body, inline=True)

    async def _attach(
        self, field: str, name: str, content_type: str, body: Body, *, inline: bool
    ) -> None:
        received = await self._stack.enter_async_context(self._receive(body=body, inline=inline))
        new = NewAttachment(str(uuid7()), field, name, media_type(content_type))
        self.attachments.append((new, received))


async def _members(data: bytes) -> Mapping[str, Any] | None:
    """Return the members of a JSON object; None where it is none."""
    try:
        if len(data) <= _IN_LOOP:
            found = json.loads(data)
        else:
            found = await asyncio.to_thread(json.loads, data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


async def _beginning(chunks: AsyncIterator[bytes], enough: int) -> tuple[bytes, bool]:
    """Read until there is more than enough; returns what that is, and whether it is all."""
    data = bytearray()
    async for chunk in chunks:
        data += chunk
        if len(data) > enough:
            return bytes(data), False
    return bytes(data), True


async def _rejoined(start: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if start:
        yield start
    async for chunk in chunks:
        yield chunk


async def _once(data: bytes) -> AsyncIterator[bytes]:
    if data:
        yield data


def _clean(text: str) -> str:
    return _SURROGATE.sub("\ufffd", text)  # which JSON can have, and no encoding


def _tidy(name: str, default: str) -> str:
    """Return what a file can be called: of a path, the last segment."""
    last = _CONTROL.sub("_", without_bidi(name).replace("\\", "/").rpartition("/")[2])
    return default if last in {"", ".", ".."} else last[:MAX_NAME]
