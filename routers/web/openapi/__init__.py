"""What routes declare for the OpenAPI document beside what FastAPI finds out itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel

from routers.web.problem_schemas import ANSWERS


@dataclass(frozen=True, slots=True)
class Tag:
    """A part of the document, and what the ids in its paths belong to."""

    name: str
    description: str
    noun: str | None = None
    """Such as ``blob``; None for upstream contracts, whose errors have forms of their own."""


_BINARY: Final = {"type": "string", "format": "binary"}
EITHER: Final[list[dict[str, list[str]]]] = [{"password": []}, {"token": []}]
"""The security of a route that needs a credential."""

_DOWNLOAD_HEADERS: Final = {
    "Content-Length": "Bytes that follow.",
    "Content-Disposition": "What to call the file (RFC 6266).",
    "ETag": "Strong, from the SHA-256 of the whole.",
    "Last-Modified": "When the bytes were stored.",
    "Accept-Ranges": "`bytes`",
    "Repr-Digest": "The SHA-256 of the whole (RFC 9530).",
    "Cache-Control": "Who may keep a copy.",
    "Content-Encoding": "The coding that the bytes came in, if they did.",
}


def parameter(header: str) -> dict[str, str]:
    """Refer to a header that is described once for all routes."""
    return {"$ref": f"#/components/parameters/{header}"}


BINARY_BODY: Final[dict[str, Any]] = {
    "parameters": [
        parameter(name)
        for name in ("Content-Digest", "Repr-Digest", "Content-MD5", "Content-Encoding")
    ],
    "requestBody": {"required": True, "content": {"application/octet-stream": {"schema": _BINARY}}},
}
"""Declares that a route takes raw bytes, for its ``openapi_extra``."""

OPEN_OR_BEARER: Final[dict[str, Any]] = {"security": [*EITHER, {}]}
"""Declares that a route may do without a credential, for its ``openapi_extra``."""


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """Declare a JSON body that the route reads by itself, for its ``openapi_extra``."""
    content = {"application/json": {"schema": model.model_json_schema()}}
    return {"requestBody": {"required": True, "content": content}}


def binary_answer(also: Mapping[str, str] | None = None) -> dict[int | str, dict[str, Any]]:
    """Declare that a route answers bytes, whole or a part, for its ``responses``.

    ``also`` describes headers of its own.
    """
    return _download(_DOWNLOAD_HEADERS | dict(also or {}))


def archive_answer() -> dict[int | str, dict[str, Any]]:
    """Declare that a route answers a ZIP, whole or a part, for its ``responses``."""
    absent = ("Last-Modified", "Repr-Digest", "Content-Encoding")
    described = {n: text for n, text in _DOWNLOAD_HEADERS.items() if n not in absent}
    return _download(described | {"ETag": "Strong, from all that is in it."})


def _download(described: Mapping[str, str]) -> dict[int | str, dict[str, Any]]:
    content = {"application/octet-stream": {"schema": _BINARY}}
    headers = {name: header(text) for name, text in described.items()}
    part = headers | {"Content-Range": header("Which bytes of how many.")}
    known = ("ETag", "Last-Modified", "Repr-Digest", "Cache-Control")
    kept = {name: headers[name] for name in known if name in headers}
    return {
        200: {"description": "The bytes", "content": content, "headers": headers},
        206: {"description": "A range of the bytes", "content": content, "headers": part},
        304: {"description": "The bytes are those that the client has", "headers": kept},
    }


def text_answer(description: str, example: str) -> dict[int | str, dict[str, Any]]:
    """Declare that a route answers plain text, for its ``responses``."""
    content = {"text/plain": {"schema": {"type": "string", "examples": [example]}}}
    return {200: {"description": description, "content": content}}


def errors_as(model: type[BaseModel], *statuses: int) -> dict[int | str, dict[str, Any]]:
    """Declare the error responses of a route whose errors have a form of their own.

    A parameter that its path can't have leads to no route: that 404 is a problem.
    """
    declared: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        described = ANSWERS[status].described
        if status != HTTPStatus.NOT_FOUND:
            del described["content"]
        declared[status] = described | {"model": model}
    return declared


def created(model: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """Declare the 201 of a route that may create, and mostly answers 200."""
    return {201: {"description": "Created", "model": model}}


def header(description: str) -> dict[str, Any]:
    """Describe a header."""
    return {"description": description, "schema": {"type": "string"}}


def required_header(name: str, description: str, example: str) -> dict[str, Any]:
    """Declare a header that a request must have."""
    described = header(description) | {"example": example}
    return {"name": name, "in": "header", "required": True, **described}


def optional_header(name: str, description: str, example: str) -> dict[str, Any]:
    """Declare a header that a request may have."""
    return required_header(name, description, example) | {"required": False}
