"""Forms that bring files, and the names of these."""

from dataclasses import replace

from fastapi import Request
from pydantic import BaseModel

from app.accounts.identity import Access
from app.files import entities
from app.files.entities import NewFile
from app.runtime import Runtime
from routers.http.forms import FormFile, check_fields, open_form
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


def checked_name(name: str | None, unnamed: str = UNNAMED) -> str:
    """Return the name that a file is to have; raises what a bad field does."""
    return check_fields(_Name, {"name": unnamed if name is None else name}).name


def _new_file(name: str, file: FormFile, fields: FileFields) -> NewFile:
    content_type = media_type(file.content_type)
    return NewFile(name, content_type, fields.expires_in, str(fields.evict), **fields.options)
