"""The OpenAPI document: made of what routes declare, with what generators of clients need.

Routes declare what is particular to them. What all routes of a kind have in common (the errors of
whoever takes a body, the headers of a download) is added here, from what they declared.
"""

import asyncio
import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response
from pydantic_core import to_json

from routers.web.openapi import EITHER, Tag, header, parameter
from routers.web.openapi.examples import add_examples
from routers.web.problem_schemas import ANSWERS, MEDIA_TYPE, Problem

_SCHEMAS: Final = "#/components/schemas/"
_FRAMEWORK_ERROR: Final = {"$ref": f"{_SCHEMAS}HTTPValidationError"}
_TOKEN_PATH: Final = "/v1/auth/token"  # noqa: S105 - not a secret
_WRITES: Final = frozenset({"post", "put", "patch", "delete"})

_VERSIONS: Final = {"Tus-Resumable"}
"""Headers that a 412 is about, instead of conditions."""

_INLINE: Final = "Let a browser show raster images, audio, video and text, not save them."
_PARAMETERS: Final = {
    "Range": "One range of bytes, as `bytes=0-99`.",
    "If-Range": "Honour Range only while this is the entity tag or date.",
    "If-Match": "Go on only while the entity tag is one of these; else 412.",
    "If-None-Match": "Go on only while the entity tag is none of these; `*`: if there is none.",
    "If-Modified-Since": "Answer 304 unless the bytes have changed since this date.",
    "Content-Digest": "Of the body as sent, `sha-256=:…:` or `sha-512=:…:` (RFC 9530); checked.",
    "Repr-Digest": "The same for the stored bytes.",
    "Content-MD5": "MD5 of the body as sent, in base64 (RFC 1864); checked.",
    "Content-Encoding": "The coding of the bytes, as `gzip`: kept, and sent back with them.",
}


def install(app: FastAPI, tags: Sequence[Tag]) -> None:
    """Let the application describe itself with everything its routes have in common.

    The document lists the ``tags`` in this order, without those that no route has.
    """

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _complete(
                get_openapi(
                    title=app.title,
                    version=app.version,
                    description=app.description,
                    contact=app.contact,
                    license_info=app.license_info,
                    servers=[{"url": "/"}],
                    routes=app.routes,
                ),
                {tag.name: tag for tag in tags},
            )
        return app.openapi_schema

    def render(prefix: str) -> bytes:
        return to_json(_below(app.openapi(), prefix))

    async def serve(request: Request) -> Response:
        # the first time, that is half a second of work
        document = await asyncio.to_thread(render, request.scope.get("root_path", ""))
        headers = {"Cache-Control": "no-cache"}  # it is the same for everybody
        return Response(document, headers=headers, media_type="application/json")

    app.openapi = openapi  # type: ignore[method-assign]
    # FastAPI's own route knows the server's path prefix, but not that of the token's URL
    routes = app.router.routes
    routes[:] = [route for route in routes if getattr(route, "path", None) != app.openapi_url]
    app.add_route(app.openapi_url or "/openapi.json", serve, include_in_schema=False)


def _below(document: dict[str, Any], prefix: str) -> dict[str, Any]:
    """Return the document for a service whose public URL has a path prefix."""
    if not prefix:
        return document
    components = document["components"] | {"securitySchemes": _security_schemes(prefix)}
    return document | {"servers": [{"url": prefix}], "components": components}


def _security_schemes(prefix: str = "") -> dict[str, Any]:
    flow = {"tokenUrl": prefix + _TOKEN_PATH, "scopes": {}}
    return {
        "password": {
            "type": "oauth2",
            "description": "User name and password; the client needs neither id nor secret.",
            "flows": {"password": flow},
        },
        "token": {
            "type": "http",
            "scheme": "bearer",
            "description": "An access token, an API key (`hk_…`) or the service token.",
        },
    }


def _complete(generated: dict[str, Any], tags: Mapping[str, Tag]) -> dict[str, Any]:
    document = copy.deepcopy(generated)  # it shares parts with what the routes declared
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    _name(Problem.model_json_schema(), schemas)
    for item in document["paths"].values():
        for method, operation in item.items():
            tag = tags.get(_tag(operation))
            noun = None if tag is None else tag.noun
            _name_bodies(operation, schemas)
            _summarise(operation)
            _describe_parameters(operation, noun or "object")
            _drop_what_is_not_so(operation)
            if method == "post" and "201" in operation["responses"]:
                located = {"Location": header("Where what has been made is.")}
                operation["responses"]["201"].setdefault("headers", {}).update(located)
            if noun is not None:
                _complete_operation(method, operation)
        if "head" in item:
            _complete_head(item["head"], item.get("get", {"responses": {}}))
    for mapping in _mappings(document):
        if "contentMediaType" in mapping:  # generators know what came before it
            mapping["format"] = "binary"
    used = {_tag(operation) for operation in _operations(document)}
    document["tags"] = [
        {"name": tag.name, "description": tag.description}
        for tag in tags.values()
        if tag.name in used
    ]
    document["components"] = {
        "schemas": dict(sorted(schemas.items())),
        "responses": copy.deepcopy({answer.name: answer.described for answer in ANSWERS.values()}),
        "parameters": {
            name: {"name": name, "in": "header", "required": False, **header(text)}
            for name, text in _PARAMETERS.items()
        },
        "securitySchemes": _security_schemes(),
    }
    add_examples(_contents(document), schemas)
    return document


def _contents(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the content of every body and answer."""
    for operation in _operations(document):
        for part in (operation.get("requestBody", {}), *operation["responses"].values()):
            yield part.get("content", {})


def _drop_what_is_not_so(operation: dict[str, Any]) -> None:
    """Replace what FastAPI says of every route by what is true of ours."""
    if operation.get("security") == [{"bearer": []}]:
        operation["security"] = copy.deepcopy(EITHER)
    operation.setdefault("security", [])  # said aloud: linters take silence for an oversight
    content = operation["responses"].get("422", {}).get("content", {})
    if content.get("application/json", {}).get("schema") == _FRAMEWORK_ERROR:
        del operation["responses"]["422"]


def _complete_operation(method: str, operation: dict[str, Any]) -> None:
    responses = operation["responses"]
    parameters = operation.setdefault("parameters", [])
    for status in _common_errors(method, operation):
        responses.setdefault(str(status), {"$ref": ""})
    for status, response in responses.items():
        answer = ANSWERS.get(int(status))
        if answer and (MEDIA_TYPE in response.get("content", {}) or "$ref" in response):
            responses[status] = {"$ref": f"#/components/responses/{answer.name}"}
    operation["responses"] = dict(sorted(responses.items()))
    versions = {declared.get("name") for declared in parameters} & _VERSIONS
    conditions = ["If-Match", "If-None-Match"] if "412" in responses and not versions else []
    conditions += ["If-Modified-Since", "Range", "If-Range"] if "206" in responses else []
    parameters += [parameter(name) for name in conditions]
    if not parameters:
        del operation["parameters"]


def _common_errors(method: str, operation: dict[str, Any]) -> Iterator[int]:
    yield 500
    if operation["operationId"] != "service_health":
        yield 503
    if operation.get("security"):
        yield from (401, 403)
    if operation.get("parameters") or "requestBody" in operation:
        yield 422
    if "requestBody" in operation:
        yield from (400, 413, 415)
    if method in _WRITES:
        yield 507


def _complete_head(head: dict[str, Any], get: dict[str, Any]) -> None:
    """Let HEAD answer what GET does, without any content."""
    if get["responses"]:
        head["summary"] = f"{get['summary']}: the headers alone"
    for status, response in head["responses"].items():
        answer = ANSWERS.get(int(status))
        bare = answer.described if answer else get["responses"].get(status, response)
        head["responses"][status] = {n: v for n, v in bare.items() if n != "content"}
    for status in ("200", "304"):
        if status in get["responses"]:
            of_get = get["responses"][status]
            head["responses"][status] = {n: v for n, v in of_get.items() if n != "content"}
    if "304" in head["responses"]:
        head.setdefault("parameters", []).append(parameter("If-Modified-Since"))
    head["responses"] = dict(sorted(head["responses"].items()))


def _name_bodies(operation: dict[str, Any], schemas: dict[str, Any]) -> None:
    """Move the schemas of bodies that a route declared itself to the named ones."""
    for content in operation.get("requestBody", {}).get("content", {}).values():
        if content["schema"].get("title") and "properties" in content["schema"]:
            content["schema"] = {"$ref": _SCHEMAS + _name(content["schema"], schemas)}


def _name(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    for mapping in _mappings(schema):
        if isinstance(target := mapping.get("$ref"), str):
            mapping["$ref"] = target.replace("#/$defs/", _SCHEMAS)
    named = schema.pop("$defs", {}) | {schema["title"]: schema}
    for name, definition in named.items():
        if schemas.setdefault(name, definition) != definition:
            raise ValueError(f"two schemas have the name {name}")
    title: str = schema["title"]
    return title


def _summarise(operation: dict[str, Any]) -> None:
    """Take the first sentence of the docstring for the summary, the rest for the description."""
    first, _, rest = operation.pop("description", operation["summary"]).partition("\n\n")
    sentence, *others = re.split(r"\.(?:\s+|$)", " ".join(first.split()), maxsplit=1)
    operation["summary"] = sentence
    description = "\n\n".join(part for part in (*others, rest) if part)
    if description:
        operation["description"] = description


def _describe_parameters(operation: dict[str, Any], noun: str) -> None:
    texts = {"id": f"The {noun}'s id.", "inline": _INLINE}
    for declared in operation.get("parameters", []):
        if declared.get("name") in texts:
            declared.setdefault("description", texts[declared["name"]])


def _tag(operation: dict[str, Any]) -> str:
    return next(iter(operation.get("tags", [])), "")


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for item in document["paths"].values():
        yield from item.values()


def _mappings(value: object) -> Iterator[dict[str, Any]]:
    """Yield every mapping within a JSON value."""
    if isinstance(value, dict):
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in inner:
        yield from _mappings(part)
