"""Examples of bodies and answers in the OpenAPI document, made of those of their fields.

A field says what one of its values looks like (``examples``), unless its type or default does. So a
model's example is written once, where its fields are, and is part of every list that it is in.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

_BY_FORMAT: Final = {
    "binary": "Hello, world!\n",
    "byte": "SGVsbG8sIHdvcmxkIQo=",
    "date-time": "2026-01-15T09:30:00Z",
    "email": "ada@example.org",
    "password": "7 grey herons over",
    "uuid": "0199a8b0-7f6e-7b1c-9a55-3d2f6c1e8a90",
}
_SCHEMAS: Final = "#/components/schemas/"

Schema = Mapping[str, Any]


class NoExampleError(LookupError):
    """A value's schema doesn't tell what it looks like."""


def add_examples(contents: Iterator[dict[str, Any]], schemas: Mapping[str, Schema]) -> None:
    """Give every content, by its media type, an example; but for those whose fields have none."""
    for content in contents:
        for described in content.values():
            if "example" not in described:
                try:
                    described["example"] = example_of(described["schema"], schemas)
                except NoExampleError:
                    continue


def example_of(schema: Schema, schemas: Mapping[str, Schema]) -> Any:  # noqa: ANN401 - JSON
    """Return a value that fits a schema; raises `NoExampleError`."""
    said = [*schema.get("examples", ()), schema.get("default"), schema.get("const")]
    said += [*schema.get("enum", ()), _BY_FORMAT.get(schema.get("format", ""))]
    for value in said:
        if value is not None:
            return value
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].removeprefix(_SCHEMAS)], schemas)
    if "anyOf" in schema:
        return _any_of(schema["anyOf"], schemas)
    return _of_type(schema, schemas)


def _of_type(schema: Schema, schemas: Mapping[str, Schema]) -> Any:  # noqa: ANN401 - JSON
    match schema.get("type"):
        case "object" if "properties" in schema:
            return dict(_fields(schema, schemas))
        case "object" if isinstance(schema.get("additionalProperties"), Mapping):
            return {"name": example_of(schema["additionalProperties"], schemas)}
        case "array":
            return [example_of(schema["items"], schemas)]
        case "boolean":
            return False
        case "null":
            return None
    raise NoExampleError


def _fields(schema: Schema, schemas: Mapping[str, Schema]) -> Iterator[tuple[str, Any]]:
    for name, field in schema["properties"].items():
        try:
            yield name, example_of(field, schemas)
        except NoExampleError:
            if name in schema.get("required", ()):
                raise NoExampleError(f"{schema.get('title')}.{name}") from None


def _any_of(choices: list[Schema], schemas: Mapping[str, Schema]) -> Any:  # noqa: ANN401 - JSON
    for choice in choices:
        try:
            return example_of(choice, schemas)
        except NoExampleError:
            continue
    raise NoExampleError
