"""Bodies that make or change a dump: forms with a file in them, read as they arrive, or JSON.

A form's file may come before the fields or after.
"""

import dataclasses
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, Final

from fastapi import Request
from uuid_utils import uuid7

from app import clock
from app.accounts.identity import Access
from app.dumps import rows as dumps
from app.dumps.rows import Changes, Dump, DumpFile, NewDump
from app.objects.preconditions import Preconditions
from app.objects.uploads import Admit, Body
from app.runtime import Runtime
from routers.http import ranges
from routers.http.forms import (
    MULTIPART,
    Form,
    FormFile,
    check_fields,
    media_type_of,
    open_form,
    read_json_fields,
)
from routers.v1.schemas.dumps import DumpChange, DumpFields, DumpReplacementFields, UploadedName

UNNAMED: Final = "dump"
_MINIDUMP: Final = b"MDMP"


async def create(request: Request, runtime: Runtime, access: Access) -> Dump:
    """Store the dump of a request's form; raises `NoFile` when there is none."""
    async with open_form(request, access, DumpFields) as form:
        file = await form.file()
        name = _name_of(file)
        body, beginning = _watched(file.body)
        async with receiving(runtime, access, body, dumps.admit) as received:
            fields = await form.fields()
            now = clock.now()
            expires_at = None if fields.retention is None else now + fields.retention * clock.SECOND
            dump_file = DumpFile(name, beginning.is_minidump)
            new = NewDump(str(uuid7()), dump_file, fields.label, fields.description, {}, expires_at)
            dump = await access.write(dumps.create, new, received, now)
    _wake(runtime, dump.report_state == "pending", dump.expires_at)
    return dump


async def replace(request: Request, runtime: Runtime, access: Access, uuid: str) -> Dump:
    """Replace a dump by a request's form; raises `NoFile` when that has no file."""
    conditions = ranges.write_preconditions(request.headers)
    async with open_form(request, access, DumpReplacementFields) as form:
        file = await form.file()
        return await _change_with(form, file, runtime, access, uuid, conditions)


async def change(request: Request, runtime: Runtime, access: Access, uuid: str) -> Dump:
    """Change a dump by a request's JSON, or by its form, which may have a file."""
    conditions = ranges.write_preconditions(request.headers)
    if media_type_of(request) == MULTIPART:
        async with open_form(request, access, DumpChange) as form:
            file = await form.optional_file()
            if file is not None:
                return await _change_with(form, file, runtime, access, uuid, conditions)
            fields = await form.fields()
    else:
        await access.check()
        fields = await read_json_fields(request, DumpChange)
    changes = Changes(fields.changes())
    return await access.write(dumps.change, uuid, changes, conditions, clock.now())


async def _change_with(
    form: Form[DumpReplacementFields] | Form[DumpChange],
    file: FormFile,
    runtime: Runtime,
    access: Access,
    uuid: str,
    conditions: Preconditions,
) -> Dump:
    """Change a dump by a form with a file."""
    name = _name_of(file)
    body, beginning = _watched(file.body)
    admit = partial(dumps.admit_replacement, uuid=uuid, conditions=conditions, now=clock.now())
    async with receiving(runtime, access, body, admit) as received:
        fields = await form.fields()
        changes = Changes(fields.changes(), DumpFile(name, beginning.is_minidump), received)
        dump = await access.write(dumps.change, uuid, changes, conditions, clock.now())
    runtime.sweep.wake()
    _wake(runtime, beginning.is_minidump, None)
    return dump


def _name_of(file: FormFile) -> str:
    name = UNNAMED if file.name is None else file.name
    return check_fields(UploadedName, {"file": name}).file


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


def _watched(body: Body) -> tuple[Body, Beginning]:
    beginning = Beginning(body.chunks)
    return dataclasses.replace(body, chunks=aiter(beginning)), beginning


def receiving(runtime: Runtime, access: Access, body: Body, admit: Admit) -> Any:  # noqa: ANN401
    """Return the context in which a dump's body is received."""
    return runtime.uploads.receive(access, body, kind=dumps.KIND, admit=admit, inline=False)
