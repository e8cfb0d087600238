"""The OpenAPI document: what generators of clients need beside what FastAPI finds out itself."""

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel

from routers.schemas.blobs import NewBlob
from routers.schemas.problems import Problem

_BINARY: Final = {"type": "string", "format": "binary"}
_HAND_DECLARED: Final[tuple[type[BaseModel], ...]] = (Problem, NewBlob)

BINARY_BODY: Final[dict[str, Any]] = {
    "requestBody": {"required": True, "content": {"application/octet-stream": {"schema": _BINARY}}}
}


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """Declare a JSON body that the route reads by itself, for its ``openapi_extra``."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def binary_answer() -> dict[int | str, dict[str, Any]]:
    """Declare that a route answers bytes, whole or a part, for its ``responses``."""
    content = {"application/octet-stream": {"schema": _BINARY}}
    return {
        200: {"description": "The bytes", "content": content},
        206: {"description": "A range of the bytes", "content": content},
        304: {"description": "The bytes are those that the client has"},
    }


def created(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """Declare the 201 of a route that may create, and mostly answers 200."""
    return {201: {"description": "Created", "model": model}}


def install(app: FastAPI) -> None:
    """Let the application describe itself with everything its routes declared by hand."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _complete(
                get_openapi(
                    title=app.title,
                    version=app.version,
                    description=app.description,
                    routes=app.routes,
                    tags=app.openapi_tags,
                )
            )
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(document: dict[str, Any]) -> dict[str, Any]:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for model in _HAND_DECLARED:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(schema.pop("$defs", {}))
        schemas[model.__name__] = schema
    return document
