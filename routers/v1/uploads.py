"""Resumable uploads by tus 1.0, of everything that accounts keep."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Annotated, Final, TypeVar
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel

from app.accounts.identity import Access
from app.errors import (
    BadRequest,
    InvalidRequest,
    NotFound,
    PreconditionFailed,
    ProblemError,
    RequestTimeout,
    ServiceUnavailable,
    UnsupportedMediaType,
)
from app.runtime import Runtime
from app.security.characters import without_bidi
from app.uploads.entities import Kind, NewUpload, Piece, Upload
from routers.http import tus
from routers.http.bodies import body_of, content_length
from routers.http.forms import check_fields, field_errors, media_type_of
from routers.http.headers import media_type
from routers.http.ranges import http_date
from routers.v1.schemas import upload_headers as documented
from routers.v1.schemas.uploads import MODELS, UploadKind, fields_of
from routers.web.dependencies import Requires, RuntimeDep
from routers.web.problems import as_problem, problems
from routers.web.route import HoldallRoute
from routers.web.urls import base_path, locate

M = TypeVar("M", bound=BaseModel)

_PATHS: Final = {
    Kind.FILE: "/v1/files/{}",
    Kind.BLOB: "/v1/blobs/{}/content",
    Kind.DUMP: "/v1/dumps/{}",
    Kind.PICTURE: "/v1/pictures/{}",
    Kind.BUFFER: "/v1/buffer",
}
"""Where clients find what has been made of an upload."""

_OFFERED: Final = {
    "Tus-Version": tus.VERSION,
    "Tus-Extension": ",".join(tus.EXTENSIONS),
} | tus.RESUMABLE


class TusRoute(HoldallRoute):
    """A route that speaks tus, whose clients go on after 409, 423 and 5xx, and after no other."""

    def answer_problem(self, request: Request, error: ProblemError) -> Response:
        if isinstance(error, RequestTimeout):
            error = ServiceUnavailable(error.detail, retry_after=1)
        response = as_problem(request, error)
        response.headers.update(tus.RESUMABLE)
        return response


router = APIRouter(prefix="/v1/uploads", tags=["uploads"], route_class=TusRoute)

Uploading = Annotated[Access, Depends(Requires(None))]
"""The access of a caller; what it may upload is its scopes' matter."""


@router.options("", status_code=204, operation_id="uploads_options", response_class=Response)
async def options() -> Response:
    """Get the version of tus, and its extensions.

    They are in the headers `Tus-Version` and `Tus-Extension`; no credential is needed.
    """
    return Response(status_code=204, headers=_OFFERED)


@router.options(
    "/{id}", status_code=204, operation_id="uploads_options_of_one", response_class=Response
)
async def options_of_one(id: UUID) -> Response:  # noqa: A002 - on the wire
    """Get the version of tus, and its extensions.

    They are the same for every upload.
    """
    del id
    return Response(status_code=204, headers=_OFFERED)


@router.post(
    "",
    status_code=201,
    operation_id="uploads_create",
    response_class=Response,
    responses=documented.CREATED | problems(400, 408, 409, 412, 413, 415, 423),
    openapi_extra=documented.NEW,
)
async def create(request: Request, runtime: RuntimeDep, access: Uploading) -> Response:
    """Create an upload. A body, if there is one, is its first piece.

    What cannot be taken is refused now: too long an upload, a full quota, fields that are wrong.
    """
    await _check(request, access)
    length = tus.length_of_new(request)
    sent, values = tus.metadata_of(request)
    with_body = _has_body(request)
    if with_body:
        _require_type(request)
    new = _new(sent, values, length)
    if length is not None and length == (content_length(request) if with_body else 0):
        body = replace(body_of(request), encoding=None)  # of the request, not of what is uploaded
        upload = await runtime.uploads.create_whole(access, new, body)
    else:
        upload = await runtime.uploads.create(access, new)
        if with_body:
            upload = await _first_piece(request, runtime, access, upload)
    headers = _state(request, upload) if with_body or length == 0 else _headers(request, upload)
    response = Response(status_code=201, headers=headers)
    locate(request, response, f"/v1/uploads/{upload.uuid}")
    return response


@router.head(
    "/{id}",
    operation_id="uploads_head",
    response_class=Response,
    responses=documented.FOUND | problems(404, 410, 412, 423),
    openapi_extra={"parameters": [documented.VERSION]},
)
async def head(
    id: UUID,  # noqa: A002 - on the wire
    request: Request,
    runtime: RuntimeDep,
    access: Uploading,
) -> Response:
    """Get how far an upload is, in `Upload-Offset`.

    A request that still appends to it is stopped, and what it brought is kept.
    """
    await _check(request, access)
    return await _status(request, runtime, access, str(id))


@router.patch(
    "/{id}",
    status_code=204,
    operation_id="uploads_append",
    response_class=Response,
    responses=documented.APPENDED_TO | problems(404, 408, 409, 410, 412, 423),
    openapi_extra=documented.APPENDED,
)
async def append(
    id: UUID,  # noqa: A002 - on the wire
    request: Request,
    runtime: RuntimeDep,
    access: Uploading,
) -> Response:
    """Append bytes to an upload. The last ones finish it, and make what it is for.

    If the connection breaks off, what has arrived is kept. Another offset than the one that the
    upload goes on at is a 409.
    """
    await _check(request, access)
    return await _append(request, runtime, access, str(id))


@router.delete(
    "/{id}",
    status_code=204,
    operation_id="uploads_delete",
    response_class=Response,
    responses=problems(404, 410, 423),
)
async def delete(
    id: UUID,  # noqa: A002 - on the wire
    runtime: RuntimeDep,
    access: Uploading,
) -> Response:
    """Delete an upload with the bytes that it has.

    What has been made of a complete one stays.
    """
    return await _delete(runtime, access, str(id))


@router.post(
    "/{id}",
    status_code=204,
    operation_id="uploads_override",
    response_class=Response,
    responses=documented.APPENDED_TO | problems(404, 408, 409, 410, 412, 423),
    openapi_extra=documented.OVERRIDDEN,
)
async def override(
    id: UUID,  # noqa: A002 - on the wire
    request: Request,
    runtime: RuntimeDep,
    access: Uploading,
) -> Response:
    """Do what the header X-HTTP-Method-Override says, for networks that let only POST pass.

    It is PATCH as a rule, and may be HEAD or DELETE.
    """
    await _check(request, access)
    match tus.method_of(request):
        case "PATCH":
            return await _append(request, runtime, access, str(id))
        case "HEAD":
            return await _status(request, runtime, access, str(id))
        case "DELETE":
            return await _delete(runtime, access, str(id))
    raise BadRequest("X-HTTP-Method-Override must be PATCH, HEAD or DELETE")


async def _status(request: Request, runtime: Runtime, access: Access, uuid: str) -> Response:
    upload = await runtime.uploads.status(access, uuid)
    headers = _state(request, upload)
    if upload.length is None:
        headers["Upload-Defer-Length"] = "1"
    else:
        headers["Upload-Length"] = str(upload.length)
    if upload.metadata:
        headers["Upload-Metadata"] = upload.metadata
    return Response(status_code=200, headers=headers)


async def _append(request: Request, runtime: Runtime, access: Access, uuid: str) -> Response:
    _require_type(request)
    offset = tus.number_in(request, "Upload-Offset")
    if offset is None:
        raise BadRequest("Upload-Offset is required")
    piece = Piece(offset, tus.number_in(request, "Upload-Length"))
    upload = await runtime.uploads.append(access, uuid, piece, body_of(request))
    return Response(status_code=204, headers=_state(request, upload))


async def _delete(runtime: Runtime, access: Access, uuid: str) -> Response:
    await runtime.uploads.cancel(access, uuid)
    return Response(status_code=204, headers=tus.RESUMABLE)


async def _first_piece(
    request: Request, runtime: Runtime, access: Access, upload: Upload
) -> Upload:
    """Append the body of the request that creates an upload, which nobody knows of otherwise."""
    body = body_of(request)
    try:
        return await runtime.uploads.append(access, upload.uuid, Piece(0), body)
    except BaseException:
        with suppress(NotFound):  # it may have ended with its bytes
            await runtime.uploads.cancel(access, upload.uuid)
        raise


def _new(sent: str, values: Mapping[str, str], length: int | None) -> NewUpload:
    kind = _checked(UploadKind, values).kind
    name = next((values[key] for key in ("name", "filename", "relativePath") if key in values), "")
    sent_type = next(
        (values[key] for key in ("type", "filetype", "content_type") if key in values), None
    )
    named = {"name": without_bidi(name)} if name else {}
    model = _checked(MODELS[kind], {**values, **named})
    return NewUpload(kind, fields_of(model, media_type(sent_type)), length, sent)


def _checked(model: type[M], values: Mapping[str, str]) -> M:
    """Return what the metadata says as a model; raises `InvalidRequest`."""
    try:
        return check_fields(model, values)
    except RequestValidationError as error:
        errors = field_errors(error.errors())
        for wrong in errors:
            wrong["loc"] = ["header", "Upload-Metadata", *wrong["loc"][1:]]
        raise InvalidRequest("The metadata is not valid", errors=errors) from None


def _headers(request: Request, upload: Upload) -> dict[str, str]:
    headers = tus.RESUMABLE | {"Upload-Expires": http_date(upload.expires_at)}
    if upload.made is not None:
        path = _PATHS[upload.kind].format(quote(upload.made, safe=""))
        headers["Content-Location"] = base_path(request) + path
    return headers


def _state(request: Request, upload: Upload) -> dict[str, str]:
    return _headers(request, upload) | {"Upload-Offset": str(upload.offset)}


async def _check(request: Request, access: Access) -> None:
    """Check who asks, and then the version: a stranger isn't told what is wrong."""
    await access.check()
    if not tus.is_spoken(request):
        raise PreconditionFailed(
            f"Tus-Resumable must be {tus.VERSION}", headers={"Tus-Version": tus.VERSION}
        )


def _require_type(request: Request) -> None:
    if media_type_of(request) != tus.MEDIA_TYPE:
        raise UnsupportedMediaType(f"The Content-Type must be {tus.MEDIA_TYPE}")


def _has_body(request: Request) -> bool:
    return (content_length(request) or 0) > 0 or "transfer-encoding" in request.headers
