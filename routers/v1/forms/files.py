"""Forms that bring files, and the names of these."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from typing import Any, NoReturn

from fastapi import Request
from pydantic import BaseModel

from app.accounts.identity import Access
from app.bundles.entities import Bundle
from app.files import entities
from app.files.entities import NewFile
from app.objects.uploads import Body
from app.runtime import Runtime
from routers.http.forms.reading import Form, FormFile, check_fields, open_form
from routers.http.headers import media_type
from routers.v1.schemas.files import UNNAMED, FileFields, FileName


class _Name(BaseModel):
    name: FileName


async def create(
    request: Request, runtime: Runtime, access: Access, *, unnamed: str = UNNAMED
) -> entities.File:
    """Store the file of a form as it arrives; one that has no name is called ``unnamed``."""
    async with open_form(request, access, FileFields) as form:
        file = await form.file()
        name = checked_name(file.name, unnamed)

        async def describe() -> NewFile:
            fields = await form.fields()
            hashed = await runtime.files.hash_password(access, fields.password)
            return replace(_new_file(name, file, fields), password_hash=hashed)

        known = _new_file(name, file, form.fields_so_far())
        return await runtime.files.create(access, known, file.body, describe)


async def send(
    request: Request,
    runtime: Runtime,
    access: Access,
    *,
    unnamed: str = UNNAMED,
    given: Mapping[str, Any] | None = None,
    clamp: bool = False,
) -> entities.File | Bundle:
    """Store the files of a form as they arrive: one by itself, several as a bundle.

    ``given`` are options that are said beside the form, whose own precede them. ``clamp`` is that
    of `NewFile`.
    """

    def fields_of(form: Form[FileFields]) -> FileFields:
        said = form.fields_so_far().model_dump(exclude_unset=True)
        return check_fields(FileFields, dict(given or {}) | said)

    async with open_form(request, access, FileFields) as form:

        async def sent() -> AsyncGenerator[tuple[NewFile, Body], None]:
            async for file in form.files():
                name = checked_name(file.name, unnamed)
                yield replace(_new_file(name, file, fields_of(form)), clamp=clamp), file.body

        async def finish(first: NewFile) -> NewFile:
            fields = fields_of(form)
            hashed = await runtime.files.hash_password(access, fields.password)
            said: dict[str, Any] = {"expires_in": fields.expires_in, "evict": str(fields.evict)}
            return replace(first, **said, password_hash=hashed, **fields.options)

        made = await runtime.sending.send(access, sent(), finish)
        return made or await _lacking(form)


async def _lacking(form: Form[FileFields]) -> NoReturn:
    await form.file()  # says what it lacks
    raise AssertionError


def checked_name(name: str | None, unnamed: str = UNNAMED) -> str:
    """Return the name that a file is to have; raises what a bad field does."""
    return check_fields(_Name, {"name": unnamed if name is None else name}).name


def _new_file(name: str, file: FormFile, fields: FileFields) -> NewFile:
    content_type = media_type(file.content_type)
    return NewFile(name, content_type, fields.expires_in, str(fields.evict), **fields.options)
