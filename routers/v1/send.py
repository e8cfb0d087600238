"""Sending a file by the shortest command line: ``curl -T photo.jpg $URL/v1/send/``."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from fastapi.responses import PlainTextResponse, Response

from app.accounts.identity import Access
from app.errors import BadRequest
from app.security.characters import without_bidi
from app.uploads.entities import Kind, NewUpload
from routers.http.bodies import body_of
from routers.http.forms.reading import check_fields
from routers.http.forms.schemas import multipart_body
from routers.http.headers import media_type
from routers.v1 import answers, link_options
from routers.v1.forms import files as file_forms
from routers.v1.forms.files import checked_name
from routers.v1.schemas.files import FileFields, SentForm
from routers.v1.schemas.send import SendHeaders, SendQuery
from routers.v1.uploads import by_draft
from routers.web.dependencies import Requires, RuntimeDep
from routers.web.openapi import BINARY_BODY
from routers.web.problems import problems
from routers.web.route import HoldallRoute

router = APIRouter(prefix="/v1/send", tags=["files"], route_class=HoldallRoute)

Writing = Annotated[Access, Depends(Requires("files:write"))]

_LINE: Final = "One line: the file's link, or if it is kept the URL of its content."
_LINK: Final = "https://holdall.example.org/t/n2XwG7aJ3kS5rT8vY1zBcA\n"
_HEADERS: Final = {
    "X-Url-Delete": {
        "description": "The file's own URL, for the same credential.",
        "schema": {"type": "string", "format": "uri"},
    },
    "X-Clamped": {
        "description": "What was lowered to what the tier allows: `max-days`, `max-downloads`.",
        "schema": {"type": "string", "examples": ["max-days"]},
    },
}


def _created(made: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    """Describe the answer: a line, or in JSON what has been made."""
    line = {"type": "string", "description": _LINE, "examples": [_LINK]}
    content = {"text/plain": {"schema": line}, "application/json": {"schema": made}}
    return {201: {"description": "Created", "headers": _HEADERS, "content": content}}


_FILE: Final = {"$ref": "#/components/schemas/StoredFile"}
_BUNDLE: Final = {"$ref": "#/components/schemas/Bundle"}


@router.put(
    "/{name:path}",
    status_code=201,
    operation_id="files_send",
    response_class=PlainTextResponse,
    responses=_created(_FILE) | problems(408, 409),
    openapi_extra=BINARY_BODY,
)
async def send(
    request: Request,
    runtime: RuntimeDep,
    access: Writing,
    name: Annotated[str, Path(description="The file's name; of a path, the last segment.")],
    asked: Annotated[SendQuery, Query()],
    headers: Annotated[SendHeaders, Header()],
) -> Response:
    """Store a file from a raw body. Answers its link in plain text unless JSON is asked for.

    What the account's tier doesn't allow is lowered, and `X-Clamped` names it. `X-Url-Delete` is
    where the file can be changed and deleted.
    """
    if "content-range" in request.headers:  # RFC 9110 §14.5: never store a part as the whole
        raise BadRequest("PUT with Content-Range is not supported")
    await access.check()  # a stranger isn't told what is wrong
    content_type = media_type(request.headers.get("content-type"))
    name = checked_name(without_bidi(name) or None)
    options = check_fields(FileFields, _options(request, asked, headers), "query")
    fields = options.model_dump() | {"name": name, "content_type": content_type, "clamp": True}
    if (sent := await by_draft.begun(request, access)) is not None:
        terms = by_draft.terms_of(request, target=answers.BY_LINK)
        new = NewUpload(Kind.FILE, fields, terms=terms)
        return await by_draft.create(request, runtime, access, sent, new)
    made = await runtime.uploads.make(access, Kind.FILE, fields, body_of(request))
    return answers.made(request, runtime, made, answers.BY_LINK)


def _options(request: Request, asked: SendQuery, headers: SendHeaders) -> dict[str, Any]:
    """Return what is asked of the file; the query precedes headers."""
    days = asked.max_days or headers.max_days
    expires_in = asked.expires_in
    if expires_in is None and days:
        expires_in = days * 86_400
    given = {
        "expires_in": expires_in,
        "max_downloads": asked.max_downloads or headers.max_downloads or None,
        "note": asked.note,
    }
    said = {name: value for name, value in given.items() if value is not None}
    return link_options.sent(request) | said


@router.post(
    "",
    status_code=201,
    operation_id="files_send_form",
    response_class=PlainTextResponse,
    responses=_created({"anyOf": [_FILE, _BUNDLE]}) | problems(408, 409),
    openapi_extra=multipart_body(SentForm),
)
async def send_form(
    request: Request,
    runtime: RuntimeDep,
    access: Writing,
    asked: Annotated[SendQuery, Query()],
    headers: Annotated[SendHeaders, Header()],
) -> Response:
    """Store the files of a form, named `file`: one by itself, several as a bundle.

    Answers the link of that in plain text unless JSON is asked for. Options may be fields of the
    form, too; what the account's tier doesn't allow is lowered, and `X-Clamped` names it.
    """
    await access.check()  # a stranger isn't told what is wrong
    given = _options(request, asked, headers)
    made = await file_forms.send(request, runtime, access, given=given, clamp=True)
    return answers.sent(request, runtime, made)


by_draft.announce(router, "/{name:path}", "files_options_send")
