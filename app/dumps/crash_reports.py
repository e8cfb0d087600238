"""Crash reports: the forms of Crashpad, Breakpad, Gecko and sentry-native, part by part.

A report isn't refused for its annotations: one that is too large for a text, and those that are too
many, become attachments.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from app.dumps.entities import MAX_NAME, DumpFile, NewAttachment, NewDump
from app.dumps.labels import label_of, version_of
from app.errors import ContentTooLarge, FieldError, InvalidRequest
from app.objects.entities import Received
from app.objects.intake.gzip import inflate, limited
from app.objects.intake.memory import BodyMemoryLimit
from app.objects.uploads import Body
from app.security.characters import without_bidi

MAX_PARTS: Final = 16_384
MAX_ANNOTATIONS: Final = 512
MAX_ATTACHMENTS: Final = 32
MAX_SPILLED: Final = 256
"""Annotations that become attachments; further ones are only counted."""

_MAX_TEXT: Final = 64 * 1024  # bytes of an annotation
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


class Receive(Protocol):
    """Receives a body that becomes an object, as `Uploads.receive` does."""

    def __call__(self, *, body: Body, inline: bool) -> AbstractAsyncContextManager[Received]: ...


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a report's form; its body must be read before the next part."""

    field: str
    filename: str | None
    content_type: str
    body: Body


class CrashReport:
    """A report while it arrives; what has been received lives as long as ``stack``."""

    def __init__(
        self, receive: Receive, stack: AsyncExitStack, memory: BodyMemoryLimit, *, max_bytes: int
    ) -> None:
        """``max_bytes`` is the limit of a minidump that comes gzipped."""
        self.attachments: list[NewAttachment] = []
        self._receive = receive
        self._stack = stack
        self._memory = memory
        self._max_bytes = max_bytes
        self._minidump: DumpFile | None = None
        self._annotations: dict[str, str] = {}
        self._characters = 0
        self._files = self._spilled = self._left_out = 0
        self._release: str | None = None

    async def add(self, part: Part) -> None:
        """Read the next part of the form."""
        if part.field == _FILE:
            await self._take_minidump(part)
        elif part.field in {_EXTRA, _SENTRY}:
            await self._take_json(part)
        elif part.filename is None:
            await self._take_text(part)
        else:
            await self._take_file(part, part.body)

    def minidump(self) -> DumpFile:
        """Return the minidump; raises `InvalidRequest` if none came."""
        if self._minidump is None:
            missing = FieldError(loc=["body", _FILE], msg="Field required")
            raise InvalidRequest("The form has no minidump", errors=[missing])
        return self._minidump

    def new_dump(self) -> NewDump:
        """Return the dump that the report makes."""
        left_out = f"{self._left_out} annotations more came than a report keeps."
        return NewDump(
            label=label_of(self._annotations, self._release),
            version=version_of(self._annotations, self._release),
            description=left_out if self._left_out else "",
            annotations=self._annotations,
        )

    async def _take_minidump(self, part: Part) -> None:
        """Receive the minidump; a gzipped one is inflated, whatever its name."""
        if self._minidump is not None:
            raise InvalidRequest("The form has two minidumps")
        name, body = part.filename or "", part.body
        start, _ = await _read_start(body, len(_GZIP))
        body = _rejoined(start, body)
        if start.startswith(_GZIP):
            body = Body(limited(inflate(body.chunks), self._max_bytes))
            name = name.removesuffix(".gz")
        received = await self._stack.enter_async_context(self._receive(body=body, inline=False))
        self._minidump = DumpFile(_tidy(name, "minidump.dmp"), is_minidump=True, received=received)

    async def _take_file(self, part: Part, body: Body) -> None:
        if self._files == MAX_ATTACHMENTS:
            raise ContentTooLarge(f"A report may have up to {MAX_ATTACHMENTS} attachments")
        self._files += 1
        name = _tidy(part.filename or "", "attachment")
        await self._attach(part.field, name, part.content_type, body, inline=False)

    async def _take_text(self, part: Part) -> None:
        start, is_whole = await _read_start(part.body, _MAX_TEXT)
        if is_whole:
            await self._annotate(part.field, start, part.content_type)
        else:
            await self._spill(part.field, _rejoined(start, part.body), part.content_type)

    async def _take_json(self, part: Part) -> None:
        """Take Gecko's annotations from their JSON, or the release from Sentry's."""
        start, is_whole = await _read_start(part.body, _MAX_JSON)
        async with self._memory.hold(len(start)):
            members = await _members(start) if is_whole else None
        if members is not None and part.field == _EXTRA:
            for name, value in members.items():
                await self._take_member(name, value)
            return
        if members is not None and isinstance(members.get("release"), str):
            self._release = _clean(members["release"])
        if part.filename is not None:
            await self._take_file(part, _rejoined(start, part.body))
        elif is_whole and len(start) <= _MAX_TEXT:
            await self._annotate(part.field, start, part.content_type)
        else:
            await self._spill(part.field, _rejoined(start, part.body), part.content_type)

    async def _take_member(self, name: str, value: Any) -> None:  # noqa: ANN401 - JSON
        is_text = isinstance(value, str)
        text = _clean(value if is_text else json.dumps(value, ensure_ascii=False))
        await self._annotate(_clean(name), text.encode(), _TEXT if is_text else "application/json")

    async def _annotate(self, name: str, value: bytes, content_type: str) -> None:
        text = value.decode("utf-8", "replace")  # half a character must not cost the report
        is_new = name not in self._annotations
        characters = self._characters + len(name) + len(text)
        if (
            len(value) > _MAX_TEXT
            or characters > _MAX_TEXTS
            or (is_new and len(self._annotations) == MAX_ANNOTATIONS)
        ):
            await self._spill(name, Body.of(value), content_type)
            return
        self._characters = characters
        self._annotations[name] = text

    async def _spill(self, name: str, body: Body, content_type: str) -> None:
        """Make an annotation an attachment, unless there are too many of these."""
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
        self.attachments.append(NewAttachment(field, name, content_type, received))


async def _members(data: bytes) -> Mapping[str, Any] | None:
    """Return the members of a JSON object, or None for anything else."""
    try:
        if len(data) <= _IN_LOOP:
            found = json.loads(data)
        else:
            found = await asyncio.to_thread(json.loads, data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


async def _read_start(body: Body, enough: int) -> tuple[bytes, bool]:
    """Read more than ``enough`` bytes; returns them, and whether they are the whole body."""
    data = bytearray()
    async for chunk in body.chunks:
        data += chunk
        if len(data) > enough:
            return bytes(data), False
    return bytes(data), True


def _rejoined(start: bytes, body: Body) -> Body:
    async def chunks() -> AsyncIterator[bytes]:
        if start:
            yield start
        async for chunk in body.chunks:
            yield chunk

    return replace(body, chunks=chunks())


def _clean(text: str) -> str:
    return _SURROGATE.sub("\ufffd", text)  # JSON can have these, no encoding can


def _tidy(name: str, default: str) -> str:
    """Return a file name that can be used: of a path, the last segment."""
    last = _CONTROL.sub("_", without_bidi(name).replace("\\", "/").rpartition("/")[2])
    return default if last in {"", ".", ".."} else last[:MAX_NAME]
