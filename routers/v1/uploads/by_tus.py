"""Resumable uploads by tus 1.0: what its requests do, see `routers.http.resumable.tus`."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel

from app.accounts.identity import Access
from app.errors import (
    BadRequest,
    InvalidRequest,
    NotFound,
    ProblemError,
    RequestTimeout,
    ServiceUnavailable,
    UnsupportedMediaType,
)
from app.runtime import Runtime
from app.security.characters import without_bidi
from app.uploads.entities import NewUpload, Piece, Terms, Upload
from routers.http.bodies import body_of, content_length, has_body, piece_of
from routers.http.digests import whole_digests
from routers.http.forms.reading import check_fields, field_errors, media_type_of
from routers.http.headers import media_type
from routers.http.ranges import http_date
from routers.http.resumable import tus
from routers.v1 import answers
from routers.v1.schemas.uploads import MODELS, UploadKind, fields_of
from routers.web.problems import as_problem
from routers.web.urls import locate

M = TypeVar("M", bound=BaseModel)


Describe = Callable[[str, Mapping[str, str], int | None, Terms], NewUpload]
"""Makes an upload of its metadata, as it was sent and as it was read, its length and terms."""


async def create(request: Request, runtime: Runtime, access: Access) -> Response:
    """Create an upload; the request's body, if there is one, is its first piece."""
    return await create_at(request, runtime, access, "/v1/uploads", _new)


async def create_at(
    request: Request, runtime: Runtime, access: Access, place: str, describe: Describe
) -> Response:
    """Create an upload that has its URL below a path."""
    length = tus.length_of_new(request.headers)
    sent, values = tus.metadata_of(request.headers)
    with_body = has_body(request)
    if with_body:
        _require_type(request)
    new = describe(sent, values, length, Terms(digests=whole_digests(request)))
    if length is not None and length == (content_length(request) if with_body else 0):
        body = replace(body_of(request), encoding=None)  # of the request, not of what is uploaded
        upload = await runtime.uploads.create_whole(access, new, body)
    else:
        upload = await runtime.uploads.create(access, new)
        if with_body:
            upload = await _first_piece(request, runtime, access, upload)
    headers = _state(request, upload) if with_body or length == 0 else _headers(request, upload)
    response = Response(status_code=201, headers=headers)
    locate(request, response, f"{place}/{upload.uuid}")
    return response


async def status(request: Request, runtime: Runtime, access: Access, uuid: str) -> Response:
    """Answer how far an upload is."""
    upload = await runtime.uploads.status(access, uuid)
    headers = _state(request, upload)
    if upload.length is None:
        headers["Upload-Defer-Length"] = "1"
    else:
        headers["Upload-Length"] = str(upload.length)
    if upload.metadata:
        headers["Upload-Metadata"] = upload.metadata
    return Response(status_code=200, headers=headers)


async def append(request: Request, runtime: Runtime, access: Access, uuid: str) -> Response:
    """Append bytes to an upload."""
    _require_type(request)
    offset = tus.number_in(request.headers, "Upload-Offset")
    if offset is None:
        raise BadRequest("Upload-Offset is required")
    length = tus.number_in(request.headers, "Upload-Length")
    piece = Piece(offset, length, digests=whole_digests(request))
    upload = await runtime.uploads.append(access, uuid, piece, piece_of(request))
    return Response(status_code=204, headers=_state(request, upload))


async def delete(runtime: Runtime, access: Access, uuid: str) -> Response:
    """Delete an upload."""
    await runtime.uploads.cancel(access, uuid)
    return Response(status_code=204, headers=tus.RESUMABLE)


def refuse(
    request: Request, error: ProblemError, headers: Mapping[str, str] = tus.RESUMABLE
) -> Response:
    """Return the answer to an error; clients of tus go on after 409, 423 and 5xx alone."""
    if isinstance(error, RequestTimeout):
        error = ServiceUnavailable(error.detail, retry_after=1)
    response = as_problem(request, error)
    response.headers.update(headers)
    return response


async def _first_piece(
    request: Request, runtime: Runtime, access: Access, upload: Upload
) -> Upload:
    """Append the body of the request that creates an upload, which nobody knows of otherwise."""
    try:
        return await runtime.uploads.append(access, upload.uuid, Piece(0), piece_of(request))
    except BaseException:
        with suppress(NotFound):  # it may have ended with its bytes
            await runtime.uploads.cancel(access, upload.uuid)
        raise


def _new(sent: str, values: Mapping[str, str], length: int | None, terms: Terms) -> NewUpload:
    kind = checked(UploadKind, values).kind
    model = checked(MODELS[kind], named(values))
    kept = tus.without(sent, "password")  # of which only a hash is kept
    return NewUpload(kind, fields_of(model, type_in(values)), length, kept, terms)


def named(values: Mapping[str, str]) -> Mapping[str, str]:
    """Return what metadata says, with the name in the one field for it, if there is any."""
    name = next((values[key] for key in ("name", "filename", "relativePath") if key in values), "")
    return {**values, "name": without_bidi(name)} if name else values


def type_in(values: Mapping[str, str]) -> str:
    """Return the media type that metadata says."""
    keys = ("type", "filetype", "content_type")
    return media_type(next((values[key] for key in keys if key in values), None))


def checked(model: type[M], values: Mapping[str, str]) -> M:
    """Return what the metadata says as a model; raises `InvalidRequest`."""
    try:
        return check_fields(model, values)
    except RequestValidationError as error:
        errors = field_errors(error.errors())
        for wrong in errors:
            wrong["loc"] = ["header", "Upload-Metadata", *wrong["loc"][1:]]
        raise InvalidRequest("The metadata is not valid", errors=errors) from None


def _headers(request: Request, upload: Upload) -> dict[str, str]:
    expiry = {"Upload-Expires": http_date(upload.expires_at)}
    return tus.RESUMABLE | expiry | answers.made_at(request, upload)


def _state(request: Request, upload: Upload) -> dict[str, str]:
    return _headers(request, upload) | {"Upload-Offset": str(upload.offset)}


def _require_type(request: Request) -> None:
    if media_type_of(request) != tus.MEDIA_TYPE:
        raise UnsupportedMediaType(f"The Content-Type must be {tus.MEDIA_TYPE}")
