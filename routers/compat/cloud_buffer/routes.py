"""Cloud Buffer: its paths are those of the pages for sending files and for the buffer.

Browsers get the pages, programs the contract's answers. Its paths of accounts are in
`routers.pages.account.account`.
"""

from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse, Response

from app.accounts.identity import Access
from app.buffer.entities import DataType, NewClip
from app.errors import BadRequest, FieldError, InvalidRequest, ProblemError
from app.files.entities import FileSort, Wanted
from app.objects import file_names
from app.objects.preconditions import Preconditions
from app.runtime import Runtime
from routers.compat.cloud_buffer.schemas import (
    DATA_TYPE,
    CloudBufferDone,
    CloudBufferError,
    CloudBufferFields,
    CloudBufferForm,
    CloudBufferLink,
    DataTypeHeader,
)
from routers.http.bodies import body_of
from routers.http.downloads import DownloadHeaders, send_content
from routers.http.forms.reading import MULTIPART, FormFile, media_type_of, open_form
from routers.http.forms.schemas import multipart_body
from routers.http.headers import media_type
from routers.http.names import name_in_headers
from routers.http.negotiation import is_browser
from routers.pages import buffer as buffer_page
from routers.pages.public import bundle as bundle_link
from routers.pages.rendering.page import PageRoute
from routers.pages.sending import send as send_page
from routers.v1.forms import files as file_forms
from routers.v1.schemas.buffer import DATA_TYPE as DATA_TYPE_HEADER
from routers.v1.schemas.buffer import DispositionHeader, NameHeader
from routers.v1.schemas.files import FileForm
from routers.v1.schemas.lists import CursorParam, NameParam
from routers.web.dependencies import Requires, RuntimeDep
from routers.web.downloadable import downloadable
from routers.web.forwarded import address_of
from routers.web.openapi import BINARY_BODY, binary_answer, errors_as
from routers.web.urls import base_path, own_link


class CloudBufferRoute(PageRoute):
    """A route whose errors are pages for browsers, or else ``{"detail": …}``, with 400 for 422."""

    def answer_problem(self, request: Request, error: ProblemError) -> Response:
        """Return the answer to an error."""
        if isinstance(error, InvalidRequest):
            reasons = "; ".join(wrong["msg"] for wrong in error.errors)
            detail = f"{error.detail}: {reasons}" if reasons else error.detail
            error = BadRequest(detail, errors=error.errors)  # which a page says in its own words
        error.headers["Cache-Control"] = "no-store"
        return super().answer_problem(request, error)


router = APIRouter(tags=["cloud-buffer"], route_class=CloudBufferRoute)

FilesReading = Annotated[Access, Depends(Requires("files:read"))]
FilesWriting = Annotated[Access, Depends(Requires("files:write"))]
BufferReading = Annotated[Access, Depends(Requires("buffer:read"))]
BufferWriting = Annotated[Access, Depends(Requires("buffer:write"))]
Token = Annotated[str, Query(description="The token of a link without a count or a password.")]

_PUBLIC: Final = (("Referrer-Policy", "no-referrer"), ("X-Robots-Tag", "noindex"))
_errors = partial(errors_as, CloudBufferError)


def _text_or_file() -> dict[str, Any]:
    described = multipart_body(CloudBufferForm)
    described["requestBody"]["content"] |= BINARY_BODY["requestBody"]["content"]
    return described


@router.get("/file/load", include_in_schema=False)
async def show_load(
    request: Request,
    runtime: RuntimeDep,
    access: FilesReading,
    cursor: CursorParam = None,
    bundles: Annotated[str | None, Query(max_length=4096)] = None,
    q: NameParam = "",
    sort: FileSort = FileSort.NEWEST,
) -> Response:
    """Show the page for sending files."""
    return await send_page.show(request, runtime, access, cursor, bundles, Wanted(q, sort))


@router.post(
    "/file/load",
    operation_id="cloud_buffer_load",
    response_model=CloudBufferLink,
    responses=_errors(400, 401, 403, 408, 409, 413, 415, 503, 507),
    openapi_extra=multipart_body(FileForm),
)
async def load(
    request: Request, runtime: RuntimeDep, access: FilesWriting
) -> Response | CloudBufferLink:
    """Send a file. A browser gets a page with its link and the QR code of that.

    Several files become one bundle.
    """
    sent = await file_forms.send(request, runtime, access, unnamed="")
    link = own_link(request, runtime, sent.link)
    if is_browser(request):
        return await send_page.show_sent(request, runtime, access, sent, link)
    plain = sent.link if sent.sharing.is_plain else None
    token = None if plain is None else runtime.links.token_of(plain)
    return CloudBufferLink.of(sent, link, token)


@downloadable(
    router,
    "/file/get",
    get="cloud_buffer_get_file",
    head="cloud_buffer_head_file",
    errors=_errors,
    statuses=(404, 412, 429, 503),
)
async def get_file(request: Request, runtime: RuntimeDep, token: Token = "") -> Response:
    """Download the target of a link, without a login.

    A link with a count or a password, and one that has ended, is a 404.
    """
    async with runtime.links.visit(address_of(request)):
        link = await runtime.links.open_plain(token)
        if link.is_to_set:
            return await bundle_link.send(request, runtime, link, "", inline=False)
        headers = DownloadHeaders(link.file_name, link.target.content_type, "no-store", _PUBLIC)
        return await send_content(request, runtime, link.content, headers)


@router.head(
    "/file/buffer",
    operation_id="cloud_buffer_head_buffer",
    response_class=Response,
    responses=_errors(401, 403, 404, 412, 503),
)
@router.get(
    "/file/buffer",
    operation_id="cloud_buffer_get_buffer",
    response_class=Response,
    responses=binary_answer(DATA_TYPE_HEADER) | _errors(401, 403, 404, 412, 416, 503),
)
async def get_buffer(request: Request, runtime: RuntimeDep, access: BufferReading) -> Response:
    """Get what is in the buffer. A browser gets a page that shows it."""
    if is_browser(request):
        return await buffer_page.show(request, runtime, access)
    clip = await runtime.buffer.find(access)
    extra = (("X-Data-Type", clip.data_type), ("Vary", "Accept, Cookie"))
    headers = DownloadHeaders(clip.name, clip.content_type, extra=extra)
    return await send_content(request, runtime, clip.content, headers)


@router.post(
    "/file/buffer",
    operation_id="cloud_buffer_fill_buffer",
    response_model=CloudBufferDone,
    responses=_errors(400, 401, 403, 408, 409, 413, 415, 503, 507),
    openapi_extra=_text_or_file(),
)
async def fill_buffer(
    request: Request,
    runtime: RuntimeDep,
    access: BufferWriting,
    data_type: DataTypeHeader = None,
    file_name: NameHeader = None,
    disposition: DispositionHeader = None,
) -> Response | CloudBufferDone:
    """Put a text or a file into the buffer, from a form or a raw body.

    `X-Data-Type` says what it is, as a header or as a field of the form.
    """
    if media_type_of(request) == MULTIPART:
        await _fill_from_form(request, runtime, access, data_type)
    else:
        sent_type = _required(data_type)
        name = name_in_headers(file_name, disposition) if sent_type == "file" else None
        new = NewClip(sent_type, name, media_type(request.headers.get("content-type")))
        await runtime.buffer.put(access, new, body_of(request), Preconditions())
    if is_browser(request):
        return RedirectResponse(f"{base_path(request)}/file/buffer", 303)
    return CloudBufferDone()


async def _fill_from_form(
    request: Request, runtime: Runtime, access: Access, data_type: DataType | None
) -> None:
    async with open_form(request, access, CloudBufferFields) as form:
        file = await form.file()
        sent_type = _required(data_type or form.fields_so_far().data_type)
        name = _name(file) if sent_type == "file" else None
        content_type = None if file.name is None else file.content_type
        new = NewClip(sent_type, name, media_type(content_type))

        async def describe() -> NewClip:
            await form.fields()
            return new

        await runtime.buffer.put(access, new, file.body, Preconditions(), describe)


def _required(data_type: DataType | None) -> DataType:
    if data_type is None:
        raise InvalidRequest(f"{DATA_TYPE} is required: text or file")
    return data_type


def _name(file: FormFile) -> str:
    try:
        return file_names.file_name(file.name or "")
    except ValueError as error:
        wrong = FieldError(loc=["body", "file"], msg=str(error))
        raise InvalidRequest("A file needs a valid name", errors=[wrong]) from None
