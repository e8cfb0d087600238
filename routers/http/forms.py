"""Small bodies, as HTML forms or JSON: read whole, then checked like JSON is."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from app.errors import InvalidRequest
from routers.http.bodies import read_small
from routers.http.multipart import read_parts

MEDIA_TYPE = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
MAX_FIELDS = 100
LIMIT = 64 * 1024  # bytes

M = TypeVar("M", bound=BaseModel)


async def read_form(request: Request, model: type[M]) -> M:
    """Read a form; raises what a bad JSON body would. The route bounds its size."""
    if media_type_of(request) != MEDIA_TYPE:
        raise InvalidRequest(f"Send a form, as {MEDIA_TYPE}")
    return check_fields(model, _pairs(await request.body()))


async def read_fields(request: Request, model: type[M], limit: int = LIMIT) -> M:
    """Read a form of either kind or a JSON object of up to ``limit`` bytes, whichever was sent."""
    body = await read_small(request, limit)
    if media_type_of(request) == MEDIA_TYPE:
        return check_fields(model, _pairs(body))
    if media_type_of(request) == MULTIPART:
        parts = read_parts(request, chunks=_once(body))
        return check_fields(model, {part.name: await part.text() async for part in parts})
    try:
        fields = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise InvalidRequest(f"Send JSON, or a form as {MEDIA_TYPE}") from None
    if not isinstance(fields, dict):
        raise InvalidRequest("The JSON must be an object")
    return check_fields(model, fields)


def media_type_of(request: Request) -> str:
    """Return the media type of a request's body, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _pairs(body: bytes) -> dict[str, str]:
    text = body.decode("utf-8", "replace")
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError:
        raise InvalidRequest("The form has too many fields") from None


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


def check_fields(model: type[M], fields: Mapping[str, Any]) -> M:
    """Check the fields of a form; raises what a bad JSON body would."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        complaints = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError(
            [{**complaint, "loc": ("body", *complaint["loc"])} for complaint in complaints]
        ) from None


def describe_any(model: type[BaseModel]) -> dict[str, Any]:
    """Describe a body of `read_fields` in OpenAPI, for a route's ``openapi_extra``."""
    schema = model.model_json_schema()
    types = ("application/json", MEDIA_TYPE, MULTIPART)
    return {"requestBody": {"required": True, "content": {t: {"schema": schema} for t in types}}}


def describe_form(model: type[BaseModel]) -> dict[str, Any]:
    """Describe such a body in OpenAPI, for a route's ``openapi_extra``."""
    content = {MEDIA_TYPE: {"schema": model.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}}
