"""Bodies that make or change a dump: forms with a file in them, read as they arrive, or JSON.

A form's file may come before the fields or after.
"""

import dataclasses
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, aclosing
from functools import partial
from typing import Any, Final

from fastapi import Request
from pydantic import BaseModel
from uuid_utils import uuid7

from app import clock
from app.accounts.identity import Access
from app.dumps import rows as dumps
from app.dumps.rows import Changes, Dump, DumpFile, NewDump
from app.errors import FieldError, InvalidRequest
from app.objects.lifecycle import Received
from app.objects.uploads import Admit, Body
from app.runtime import Runtime
from routers.http import ranges
from routers.http.bodies import content_length, read_json
from routers.http.forms import MULTIPART, check_fields, media_type_of
from routers.http.multipart import MAX_FIELD, MAX_PARTS, read_parts
from routers.v1.schemas.dumps import DumpChange, DumpFields, DumpReplacementFields, UploadedName

UNNAMED: Final = "dump"
_MAX_JSON: Final = 64 * 1024
_MINIDUMP: Final = b"MDMP"
_REST_OF_FORM: Final = MAX_PARTS * 2 * MAX_FIELD  # bytes of a form beside its file, at most


class NoFile(InvalidRequest):
    """There is no file where there must be one."""

    def __init__(self) -> None:
        missing = FieldError(loc=["body", "file"], msg="there is none")
        super().__init__("The form has no file", errors=[missing])


async def create(request: Request, runtime: Runtime, access: Access) -> Dump:
    """Store the dump of a request's form; raises `NoFile` when there is none."""
    await access.check()  # a stranger's form isn't read
    form = DumpUpload()
    async with AsyncExitStack() as stack:
        receive = receiving(request, runtime, access, dumps.admit)
        await form.read(request, stack, DumpFields, receive)
        file, received = form.whole()
        fields = check_fields(DumpFields, form.fields)
        now = clock.now()
        expires_at = None if fields.retention is None else now + fields.retention * clock.SECOND
        new = NewDump(str(uuid7()), file, fields.label, fields.description, {}, expires_at)
        dump = await access.write(dumps.create, new, received, now)
    _wake(runtime, dump.report_state == "pending", dump.expires_at)
    return dump


async def replace(request: Request, runtime: Runtime, access: Access, uuid: str) -> Dump:
    """Replace a dump by a request's form; raises `NoFile` when that has no file."""
    return await _change(request, runtime, access, uuid, DumpReplacementFields)


async def change(request: Request, runtime: Runtime, access: Access, uuid: str) -> Dump:
    """Change a dump by a request's JSON, or by its form, which may have a file."""
    if media_type_of(request) == MULTIPART:
        return await _change(request, runtime, access, uuid, DumpChange)
    conditions = ranges.write_preconditions(request.headers)
    await access.check()
    async with read_json(request, _MAX_JSON, runtime.memory) as body:
        fields = check_fields(DumpChange, _object(body))
    return await access.write(
        dumps.change, uuid, Changes(fields.changes()), conditions, clock.now()
    )


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        wrong = FieldError(loc=["body"], msg="it is no JSON object")
        raise InvalidRequest("Send a JSON object, or a form as multipart/form-data", errors=[wrong])
    return value


async def _change(
    request: Request,
    runtime: Runtime,
    access: Access,
    uuid: str,
    model: type[DumpReplacementFields | DumpChange],
) -> Dump:
    """Change a dump by a form, which must have a file if it is to replace the dump."""
    conditions = ranges.write_preconditions(request.headers)
    form = DumpUpload()
    admit = partial(dumps.admit_replacement, uuid=uuid, conditions=conditions, now=clock.now())
    await access.check()
    async with AsyncExitStack() as stack:
        await form.read(request, stack, model, receiving(request, runtime, access, admit))
        if model is DumpReplacementFields:
            form.whole()
        changes = Changes(check_fields(model, form.fields).changes(), form.file, form.received)
        dump = await access.write(dumps.change, uuid, changes, conditions, clock.now())
    if form.file is not None:
        runtime.sweep.wake()
        _wake(runtime, form.file.is_minidump, None)
    return dump


def _wake(runtime: Runtime, is_minidump: bool, expires_at: int | None) -> None:  # noqa: FBT001
    """Wake the tasks that have something to do about a new dump."""
    if is_minidump:
        runtime.reports.wake()
    if expires_at is not None:
        runtime.expiry.wake_for(expires_at)


class Beginning:
    """Passes a body on, and remembers how it begins."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self._chunks = chunks
        self._start = b""

    @property
    def is_minidump(self) -> bool:
        return self._start == _MINIDUMP

    async def __aiter__(self) -> AsyncIterator[bytes]:
        missing = len(_MINIDUMP)
        async for chunk in self._chunks:
            if missing:
                self._start += chunk[:missing]
                missing = len(_MINIDUMP) - len(self._start)
            yield chunk


class DumpUpload:
    """A form that has been read: its file is received, its fields are still to be checked."""

    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self.file: DumpFile | None = None
        self.received: Received | None = None

    async def read(
        self,
        request: Request,
        stack: AsyncExitStack,
        model: type[BaseModel],
        receive: Callable[[AsyncIterator[bytes]], Any],
    ) -> None:
        """Read the request's form of ``model`` and a file; ``receive`` makes a body's context.

        What it receives lives as long as the stack.
        """
        parts = await stack.enter_async_context(aclosing(read_parts(request)))
        async for part in parts:
            if part.name == "file" and part.filename != "":  # a browser's form without one
                if self.received is not None:
                    raise InvalidRequest("The form has two files")
                name = UNNAMED if part.filename is None else part.filename
                name = check_fields(UploadedName, {"file": name}).file
                check_fields(model, self.fields)  # before anything is stored
                body = Beginning(part.chunks())
                received = await stack.enter_async_context(receive(aiter(body)))
                self.received = dataclasses.replace(received, encoding=part.encoding)
                self.file = DumpFile(name, body.is_minidump)
            elif part.name in model.model_fields:
                if part.name in self.fields:
                    wrong = FieldError(loc=["body", part.name], msg="it is there twice")
                    raise InvalidRequest("The form has a field twice", errors=[wrong])
                self.fields[part.name] = await part.text()

    def whole(self) -> tuple[DumpFile, Received]:
        """Return the file that a form must have; raises `NoFile`."""
        if self.file is None or self.received is None:
            raise NoFile
        return self.file, self.received


def receiving(
    request: Request, runtime: Runtime, access: Access, admit: Callable[..., int]
) -> Callable[[AsyncIterator[bytes]], Any]:
    """Return what makes the context in which a dump's body is received."""
    at_least = max(0, (content_length(request) or 0) - _REST_OF_FORM)
    admitting: Admit = partial(admit, at_least=at_least)

    def receive(chunks: AsyncIterator[bytes]) -> Any:  # noqa: ANN401 - a context
        body = Body(chunks)
        return runtime.uploads.receive(access, body, kind=dumps.KIND, admit=admitting, inline=False)

    return receive
