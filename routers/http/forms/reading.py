"""Forms: those with files, read as they arrive, and small ones, read whole, or JSON instead.

Their fields are checked by a model, and refused as the framework refuses JSON.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeVar
from urllib.parse import parse_qsl

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from app.accounts.identity import Access
from app.errors import FieldError, InvalidRequest
from app.objects.uploads import Body
from routers.http.bodies import content_length, read_small
from routers.http.forms.multipart import MAX_FIELD, MAX_PARTS, Part, read_parts

MEDIA_TYPE: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data"
MAX_FIELDS: Final = 100
LIMIT: Final = 64 * 1024  # bytes

_BESIDE_FILE: Final = MAX_PARTS * 2 * MAX_FIELD  # bytes of a form beside its only file, at most

M = TypeVar("M", bound=BaseModel)


class NoFile(InvalidRequest):
    """A form lacks the file that it must have."""

    def __init__(self, detail: str, field: str, others: Sequence[FieldError] = ()) -> None:
        missing = FieldError(loc=["body", field], msg="Field required")
        super().__init__(detail, errors=[missing, *others])


@dataclass(frozen=True, slots=True)
class FormFile:
    """A file in a form; its body must be read before the rest of the form."""

    name: str | None
    """Its file name; None: it came without one, as from a pipe."""
    content_type: str
    body: Body


class Form(Generic[M]):
    """A multipart form, read as it arrives: fields into a model, files as bodies in their order.

    Fields may come before files or after them. Unknown ones are skipped, up to a limit; duplicates
    are refused. A browser's file input without a file counts as no file.
    """

    def __init__(
        self,
        parts: AsyncIterator[Part],
        model: type[M],
        *,
        file: str = "file",
        noun: str = "file",
        max_field: int = MAX_FIELD,
        length: int | None = None,
    ) -> None:
        """Files come in the field ``file``, and messages call one a ``noun``.

        A field may have ``max_field`` bytes; the whole form has ``length``, where announced.
        """
        self._parts = parts
        self._model = model
        self._names = {field.alias or name for name, field in model.model_fields.items()}
        self._values: dict[str, str] = {}
        self._file = file
        self._noun = noun
        self._max_field = max_field
        self._at_least = max(0, (length or 0) - _BESIDE_FILE)

    async def file(self) -> FormFile:
        """Return the only file, which must be there; raises `NoFile`."""
        file = await self.optional_file()
        if file is None:
            others = field_errors(_complaints(self._model, self._values))
            raise NoFile(f"The form has no {self._noun}", self._file, others)
        return file

    async def optional_file(self) -> FormFile | None:
        """Return the only file, or None if there is none."""
        file = await self._next_file()
        if file is None:
            return None
        return replace(file, body=replace(file.body, at_least=self._at_least))

    async def files(self) -> AsyncIterator[FormFile]:
        """Yield the files, any number of them; read each before asking for the next."""
        while (file := await self._next_file()) is not None:
            yield file

    async def fields(self) -> M:
        """Read the rest of the form, in which no other file may come, and return its fields."""
        if await self._next_file() is not None:
            raise InvalidRequest(f"The form has two {self._noun}s")
        return self.fields_so_far()

    def fields_so_far(self) -> M:
        """Return the fields that have arrived."""
        return check_fields(self._model, self._values)

    async def _next_file(self) -> FormFile | None:
        async for part in self._parts:
            if part.name == self._file:
                if part.filename != "":  # a browser's input without a file has an empty one
                    self._check_so_far()
                    return FormFile(part.filename, part.content_type, part.body())
            elif part.name in self._names:
                await self._take(part)
        return None

    async def _take(self, part: Part) -> None:
        if part.name in self._values:
            duplicate = FieldError(loc=["body", part.name], msg="Duplicate field")
            raise InvalidRequest("The form has a duplicate field", errors=[duplicate])
        self._values[part.name] = await part.text(self._max_field)

    def _check_so_far(self) -> None:
        """Refuse fields that have arrived, before a file is stored for nothing."""
        complaints = _complaints(self._model, self._values)
        wrong = [complaint for complaint in complaints if complaint["loc"][1] in self._values]
        if wrong:
            raise RequestValidationError(wrong)


@asynccontextmanager
async def open_form(
    request: Request,
    access: Access | None,
    model: type[M],
    *,
    file: str = "file",
    noun: str = "file",
    max_field: int = MAX_FIELD,
) -> AsyncGenerator[Form[M], None]:
    """Open a request's form once ``access`` is known to be good; see `Form`.

    ``access`` is None where a field of the form says who sends it. Raises `NoFile` for a body that
    is no multipart form; reading raises what `read_parts` does.
    """
    if access is not None:
        await access.check()  # a stranger's form isn't read
    if media_type_of(request) != MULTIPART:
        raise NoFile(f"Send a form, as {MULTIPART}", file)
    async with aclosing(read_parts(request)) as parts:
        yield Form(
            parts,
            model,
            file=file,
            noun=noun,
            max_field=max_field,
            length=content_length(request),
        )


async def read_form(request: Request, model: type[M]) -> M:
    """Read a small form without files; the route bounds its size."""
    if media_type_of(request) != MEDIA_TYPE:
        raise InvalidRequest(f"Send a form, as {MEDIA_TYPE}")
    return check_fields(model, _pairs(await request.body()))


async def read_fields(request: Request, model: type[M], limit: int = LIMIT) -> M:
    """Read a form of either media type, or a JSON object, of up to ``limit`` bytes."""
    body = await read_small(request, limit)
    if media_type_of(request) == MEDIA_TYPE:
        return check_fields(model, _pairs(body))
    if media_type_of(request) == MULTIPART:
        return await Form(read_parts(request, chunks=_once(body)), model).fields()
    return check_fields(model, _json_object(body or b"{}", MEDIA_TYPE))


async def read_json_fields(request: Request, model: type[M], limit: int = LIMIT) -> M:
    """Read a JSON object of up to ``limit`` bytes, where a multipart form may be sent as well."""
    return check_fields(model, _json_object(await read_small(request, limit), MULTIPART))


def media_type_of(request: Request) -> str:
    """Return the media type of a request's body, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _pairs(body: bytes) -> dict[str, str]:
    text = body.decode("utf-8", "replace")
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError:
        raise InvalidRequest("The form has too many fields") from None


def _json_object(body: bytes, form: str) -> Mapping[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise InvalidRequest(f"Send a JSON object, or a form as {form}")
    return value


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


def check_fields(model: type[M], fields: Mapping[str, Any], where: str = "body") -> M:
    """Return the fields of a form, or of a query, as a model; raises what a bad JSON body would."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise RequestValidationError(_described(error, where)) from None


def _complaints(model: type[BaseModel], fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    try:
        model.model_validate(fields)
    except ValidationError as error:
        return _described(error)
    return []


def _described(error: ValidationError, where: str = "body") -> list[dict[str, Any]]:
    complaints = error.errors(include_url=False, include_context=False, include_input=False)
    return [{**complaint, "loc": (where, *complaint["loc"])} for complaint in complaints]


def field_errors(complaints: Sequence[Mapping[str, Any]]) -> list[FieldError]:
    """Return pydantic's complaints as what an error says of fields."""
    return [
        # a validator's own words come after a prefix
        FieldError(loc=list(c["loc"]), msg=str(c["msg"]).removeprefix("Value error, "))
        for c in complaints
    ]
