"""Forms that create or change a dump, with a file before or after their fields; or JSON."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import Request

from app.accounts.identity import Access
from app.dumps.entities import Dump, NewDump
from app.objects.preconditions import Preconditions
from app.runtime import Runtime
from routers.http import ranges
from routers.http.forms.reading import (
    MULTIPART,
    Form,
    FormFile,
    check_fields,
    media_type_of,
    open_form,
    read_json_fields,
)
from routers.v1.schemas.dumps.dumps import (
    DumpChange,
    DumpFields,
    DumpReplacementFields,
    UploadedName,
)

UNNAMED: Final = "dump"


async def create(request: Request, runtime: Runtime, access: Access) -> Dump:
    """Create a dump from a form; raises `NoFile`."""
    async with open_form(request, access, DumpFields) as form:
        file = await form.file()

        async def describe() -> NewDump:
            fields = await form.fields()
            return NewDump(fields.label, fields.description, {}, fields.retention)

        return await runtime.dumps.create(access, _name_of(file), file.body, describe)


async def replace(request: Request, runtime: Runtime, access: Access, uuid: str) -> Dump:
    """Replace a dump's file and label by those of a form; raises `NoFile`."""
    conditions = ranges.write_preconditions(request.headers)
    async with open_form(request, access, DumpReplacementFields) as form:
        return await _replace(form, await form.file(), runtime, access, uuid, conditions)


async def change(request: Request, runtime: Runtime, access: Access, uuid: str) -> Dump:
    """Change a dump by JSON, or by a form, which may have a file."""
    conditions = ranges.write_preconditions(request.headers)
    if media_type_of(request) == MULTIPART:
        async with open_form(request, access, DumpChange) as form:
            file = await form.optional_file()
            if file is not None:
                return await _replace(form, file, runtime, access, uuid, conditions)
            fields = await form.fields()
    else:
        await access.check()  # a stranger's body isn't read
        fields = await read_json_fields(request, DumpChange)
    return await runtime.dumps.change(access, uuid, fields.changes(), conditions)


async def _replace(
    form: Form[DumpReplacementFields] | Form[DumpChange],
    file: FormFile,
    runtime: Runtime,
    access: Access,
    uuid: str,
    conditions: Preconditions,
) -> Dump:
    async def describe() -> Mapping[str, Any]:
        return (await form.fields()).changes()

    name = _name_of(file)
    return await runtime.dumps.replace(access, uuid, name, file.body, describe, conditions)


def _name_of(file: FormFile) -> str:
    name = UNNAMED if file.name is None else file.name
    return check_fields(UploadedName, {"file": name}).file
