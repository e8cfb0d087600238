"""Sending a file by the shortest command line: ``curl -T photo.jpg $URL/v1/send/``."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import PlainTextResponse, Response

from app.accounts.identity import Access
from app.errors import BadRequest
from app.files.entities import NewFile
from app.security.characters import without_bidi
from app.uploads.entities import Kind, NewUpload
from routers.http.bodies import body_of
from routers.http.headers import media_type
from routers.v1 import answers, by_draft
from routers.v1.file_forms import checked_name
from routers.v1.schemas.files import ExpiresIn
from routers.web.dependencies import Requires, RuntimeDep
from routers.web.openapi import BINARY_BODY
from routers.web.problems import problems
from routers.web.route import HoldallRoute

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
    name = checked_name(without_bidi(name) or None)
    if (sent := await by_draft.begun(request, access)) is not None:
        fields = {"name": name, "content_type": content_type, "expires_in": expires_in}
        terms = by_draft.terms_of(request, target=answers.BY_LINK)
        new = NewUpload(Kind.FILE, fields, terms=terms)
        return await by_draft.create(request, runtime, access, sent, new)
    file = await runtime.files.create(
        access, NewFile(name, content_type, expires_in), body_of(request)
    )
    return answers.sent_file(request, runtime, file)


by_draft.announce(router, "/{name:path}", "files_options_send")
