"""Fields that many schemas have."""

import unicodedata
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from app import clock


def _check_text(value: str) -> str:
    if any(unicodedata.category(c) in {"Cc", "Cs"} and c not in "\t\r\n" for c in value):
        raise ValueError("a text holds no control characters or lone surrogates")
    return value


Id = Annotated[
    str,
    Field(
        description="A UUID, version 7 (RFC 9562).",
        examples=["0199a8b0-7f6e-7b1c-9a55-3d2f6c1e8a90"],
    ),
]
Size = Annotated[int, Field(description="In bytes.", examples=[14])]
Sha256 = Annotated[
    str,
    Field(
        description="In hex.",
        examples=["d9014c4624844aa5bac314773d6b689ad467fa4e1d1a50a1b8a99d5a95f72ff5"],
    ),
]
Text = Annotated[
    str,
    AfterValidator(_check_text),
    Field(
        json_schema_extra={"pattern": r"^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]*$"}
    ),
]


def _not_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("this is not a number")  # noqa: TRY004 - what becomes a 422
    return value


NOT_BOOLEAN: Final = BeforeValidator(_not_boolean)
"""Of numbers that are asked for, after their limits: pydantic takes false for 0."""


def values_of(entity: Any, schema: type[BaseModel]) -> dict[str, Any]:  # noqa: ANN401 - has slots
    """Return what an entity has of a schema's fields; those called ``…_at`` are moments."""
    names = schema.model_fields.keys() & type(entity).__slots__
    values = {name: getattr(entity, name) for name in names}
    moments = {n: value for n, value in values.items() if n.endswith("_at") and value is not None}
    return values | {name: clock.to_datetime(moment) for name, moment in moments.items()}
