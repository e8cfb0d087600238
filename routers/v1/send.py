"""Sending a file by the shortest command line: ``curl -T photo.jpg $URL/v1/send/``."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import PlainTextResponse, Response
from pydantic_core import to_json

from app.accounts.identity import Access
from app.errors import BadRequest
from app.files import entities
from app.files.entities import NewFile
from app.runtime import Runtime
from app.security.characters import without_bidi
from routers.http.bodies import body_of
from routers.http.headers import media_type
from routers.v1.file_forms import checked_name
from routers.v1.schemas.files import ExpiresIn, StoredFile
from routers.web.dependencies import Requires, RuntimeDep
from routers.web.openapi import BINARY_BODY
from routers.web.problems import problems
from routers.web.route import HoldallRoute
from routers.web.urls import base_url, file_link, locate

router = APIRouter(prefix="/v1/send", tags=["files"], route_class=HoldallRoute)

Writing = Annotated[Access, Depends(Requires("files:write"))]

_LINE: Final = "One line: the file's link, or if it is kept the URL of its content."
_LINK: Final = "https://holdall.example.org/t/n2XwG7aJ3kS5rT8vY1zBcA\n"
_CREATED: Final[dict[int | str, dict[str, Any]]] = {
    201: {
        "description": "Created",
        "content": {
            "text/plain": {"schema": {"type": "string", "description": _LINE, "examples": [_LINK]}},
            "application/json": {"schema": {"$ref": "#/components/schemas/StoredFile"}},
        },
    }
}


@router.put(
    "/{name:path}",
    status_code=201,
    operation_id="files_send",
    response_class=PlainTextResponse,
    responses=_CREATED | problems(408, 409),
    openapi_extra=BINARY_BODY,
)
async def send(
    request: Request,
    runtime: RuntimeDep,
    access: Writing,
    name: Annotated[str, Path(description="The file's name; of a path, the last segment.")],
    expires_in: Annotated[
        ExpiresIn | None, Query(description="Seconds that the file lives; 0 keeps it.")
    ] = None,
) -> Response:
    """Store a file from a raw body. Answers its link in plain text unless JSON is asked for."""
    if "content-range" in request.headers:  # RFC 9110 §14.5: never store a part as the whole
        raise BadRequest("PUT with Content-Range is not supported")
    content_type = media_type(request.headers.get("content-type"))
    new = NewFile(checked_name(without_bidi(name) or None), content_type, expires_in)
    file = await runtime.files.create(access, new, body_of(request))
    link = file_link(request, runtime, file)
    response = _rendered(request, runtime, file, link)
    locate(request, response, f"/v1/files/{file.uuid}")
    return response


def _rendered(
    request: Request, runtime: Runtime, file: entities.File, link: str | None
) -> Response:
    if "application/json" in request.headers.get("accept", ""):
        return Response(to_json(StoredFile.of(file, link)), 201, media_type="application/json")
    line = link or f"{base_url(request, runtime)}/v1/files/{file.uuid}/content"
    return Response(f"{line}\n", 201, media_type="text/plain")
