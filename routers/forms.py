"""Small HTML forms as bodies: read whole, then checked like JSON is."""

from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from app.errors import InvalidRequest

MEDIA_TYPE = "application/x-www-form-urlencoded"
MAX_FIELDS = 100

M = TypeVar("M", bound=BaseModel)


async def read_form(request: Request, model: type[M]) -> M:
    """Read a form; raises what a bad JSON body would. The route bounds its size."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != MEDIA_TYPE:
        raise InvalidRequest(f"Send a form, as {MEDIA_TYPE}")
    text = (await request.body()).decode("utf-8", "replace")
    try:
        fields = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError:
        raise InvalidRequest("The form has too many fields") from None
    return check_fields(model, fields)


def check_fields(model: type[M], fields: Mapping[str, Any]) -> M:
    """Check the fields of a form; raises what a bad JSON body would."""
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        complaints = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError(
            [{**complaint, "loc": ("body", *complaint["loc"])} for complaint in complaints]
        ) from None


def describe_form(model: type[BaseModel]) -> dict[str, Any]:
    """Describe such a body in OpenAPI, for a route's ``openapi_extra``."""
    content = {MEDIA_TYPE: {"schema": model.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}}
