"""Forms as OpenAPI describes them, for the ``openapi_extra`` of routes that read one themselves."""

from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from routers.http.forms.reading import MEDIA_TYPE, MULTIPART

_JSON: Final = "application/json"
_DIGESTS: Final = [
    {"$ref": f"#/components/parameters/{header}"} for header in ("Content-Digest", "Content-MD5")
]


class _FormSchema(GenerateJsonSchema):
    """A schema without null, which no form can say: a field is there or not.

    With null in it, generated clients send the text ``None`` for a field, or a file's repr.
    """

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        described = super().default_schema(schema)
        if described.get("default", ...) is None:
            del described["default"]
        return described


def form_schema(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of a model whose values come in a form."""
    return model.model_json_schema(schema_generator=_FormSchema)


def describe_form(model: type[BaseModel]) -> dict[str, Any]:
    """Describe a body of `read_form`."""
    return _body(model, MEDIA_TYPE)


def describe_any(model: type[BaseModel]) -> dict[str, Any]:
    """Describe a body of `read_fields`."""
    return _body(model, _JSON, MEDIA_TYPE, MULTIPART)


def multipart_body(model: type[BaseModel]) -> dict[str, Any]:
    """Describe a body of `open_form`."""
    return _body(model, MULTIPART)


def form_or_raw(model: type[BaseModel]) -> dict[str, Any]:
    """Describe a body of `open_form`, instead of which the file alone may be sent."""
    described = _body(model, MULTIPART)
    described["requestBody"]["content"]["application/octet-stream"] = {
        "schema": {"type": "string", "format": "binary"}
    }
    return described


def _body(model: type[BaseModel], *media_types: str) -> dict[str, Any]:
    content = {media_type: {"schema": form_schema(model)} for media_type in media_types}
    return {"parameters": _DIGESTS, "requestBody": {"required": True, "content": content}}
