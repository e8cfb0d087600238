"""Cloud Buffer: its paths are the pages for sending files and for the buffer.

A browser gets pages there, any other program what the contract has for it. Its paths of accounts
are in `routers.pages.account`.
"""

from contextlib import AsyncExitStack, aclosing
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import RedirectResponse, Response

from app import clock
from app.accounts.identity import Access
from app.buffer.rows import DataType
from app.errors import BadRequest, FieldError, InvalidRequest, ProblemError
from app.links import public as public_links
from app.links import rows as timelinks
from app.objects.lifecycle import Received
from app.objects.preconditions import Preconditions
from app.runtime import Runtime
from routers.compat.cloud_buffer.schemas import (
    DATA_TYPE,
    CloudBufferDone,
    CloudBufferError,
    CloudBufferForm,
    CloudBufferLink,
    DataTypeHeader,
)
from routers.http.bodies import body_of
from routers.http.downloads import Named, send_content
from routers.http.forms import MULTIPART, check_fields, media_type_of
from routers.http.multipart import Part, read_parts
from routers.http.negotiation import is_browser
from routers.pages import buffer as buffer_page
from routers.pages import send as send_page
from routers.pages.page import PageRoute
from routers.v1 import buffer, files
from routers.v1.schemas.buffer import DispositionHeader, NameHeader
from routers.v1.schemas.files import FileForm, check_name
from routers.v1.schemas.lists import CursorParam
from routers.web.dependencies import Requires, RuntimeDep
from routers.web.downloadable import downloadable
from routers.web.openapi import BINARY_BODY, binary_answer, errors_as, multipart_body
from routers.web.urls import base_path, following, link_key


class CloudBufferRoute(PageRoute):
    """A route whose errors are pages for a browser and else ``{"detail": …}``; it knows no 422."""

    def answer_problem(self, request: Request, error: ProblemError) -> Response:
        """Make the answer for an error."""
        if isinstance(error, InvalidRequest):
            reasons = "; ".join(wrong["msg"] for wrong in error.errors)
            error = BadRequest(f"{error.detail}: {reasons}" if reasons else error.detail)
        error.headers["Cache-Control"] = "no-store"
        return super().answer_problem(request, error)


router = APIRouter(tags=["cloud-buffer"], route_class=CloudBufferRoute)

FilesReading = Annotated[Access, Depends(Requires("files:read"))]
FilesWriting = Annotated[Access, Depends(Requires("files:write"))]
BufferReading = Annotated[Access, Depends(Requires("buffer:read"))]
BufferWriting = Annotated[Access, Depends(Requires("buffer:write"))]
Token = Annotated[str, Query(description="The token of a link without a count or a password.")]

_PUBLIC: Final = {"Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}
_errors = partial(errors_as, CloudBufferError)


def _text_or_file() -> dict[str, Any]:
    described = multipart_body(CloudBufferForm)
    described["requestBody"]["content"] |= BINARY_BODY["requestBody"]["content"]
    return described


@router.get("/file/load", include_in_schema=False)
async def show_load(
    request: Request, runtime: RuntimeDep, access: FilesReading, cursor: CursorParam = None
) -> Response:
    """Show the page for sending files."""
    return await send_page.show(request, runtime, access, cursor)


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
    """Send a file, which gets a link. A browser gets a page with that, and its QR code."""
    file = await files.store_form(request, runtime, access, unnamed="")
    link = files.link_of(request, runtime, file)
    if is_browser(request):
        return await send_page.show_sent(request, access, file, link)
    token = None if file.link is None else timelinks.token_of(link_key(runtime), file.link)
    return CloudBufferLink.of(file, link, token)


@downloadable(
    router,
    "/file/get",
    get="cloud_buffer_get_file",
    head="cloud_buffer_head_file",
    errors=_errors,
    statuses=(404, 412, 429, 503),
)
async def get_file(request: Request, runtime: RuntimeDep, token: Token = "") -> Response:
    """Download what a link leads to, without a login."""
    async with following(request, runtime):
        link = await runtime.database.read(public_links.find_plain, token, clock.now())
        named = Named(link.file_name, link.target.content_type, "no-store", _PUBLIC)
        return await send_content(request, runtime, link.target.content, named)


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
    responses=binary_answer(buffer.DATA_TYPE) | _errors(401, 403, 404, 412, 416, 503),
)
async def get_buffer(request: Request, runtime: RuntimeDep, access: BufferReading) -> Response:
    """Get what is in the buffer. A browser gets a page that shows it."""
    if is_browser(request):
        return await buffer_page.show(request, runtime, access)
    response = await buffer.get(request, runtime, access)
    response.headers["Vary"] = "Accept, Cookie"
    return response


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
    """Put a text or a file into the buffer, by a form or as a raw body."""
    if media_type_of(request) == MULTIPART:
        await _fill_from_form(request, runtime, access, data_type)
    else:
        kind = _known(data_type)
        name = buffer.header_name(file_name, disposition) if kind == "file" else None
        new = buffer.new_buffer(runtime, kind, name, request.headers.get("content-type"))
        await buffer.fill(runtime, access, new, body_of(request), Preconditions())
    if is_browser(request):
        return RedirectResponse(f"{base_path(request)}/file/buffer", 303)
    return CloudBufferDone()


async def _fill_from_form(
    request: Request, runtime: Runtime, access: Access, data_type: DataType | None
) -> None:
    await access.check()  # a stranger's form isn't read
    received: Received | None = None
    async with AsyncExitStack() as stack:
        parts = await stack.enter_async_context(aclosing(read_parts(request)))
        async for part in parts:
            if part.name == DATA_TYPE and data_type is None:
                field = {DATA_TYPE: await part.text(), "file": ""}
                data_type = check_fields(CloudBufferForm, field).data_type
            elif part.name == "file":
                if received is not None:
                    raise InvalidRequest("The form has two files")
                kind = _known(data_type)
                name = _name(part) if kind == "file" else None
                content_type = None if part.filename is None else part.content_type
                new = buffer.new_buffer(runtime, kind, name, content_type)
                body = part.body()
                received = await stack.enter_async_context(
                    buffer.receive(runtime, access, body, Preconditions())
                )
        if received is None:
            raise InvalidRequest("The form has no file")
        await buffer.commit(runtime, access, new, received, Preconditions())


def _known(data_type: DataType | None) -> DataType:
    if data_type is None:
        raise InvalidRequest(f"Say what is sent: {DATA_TYPE} is text or file")
    return data_type


def _name(part: Part) -> str:
    try:
        return check_name(part.filename or "")
    except ValueError as error:
        wrong = FieldError(loc=["body", "file"], msg=str(error))
        raise InvalidRequest("A file needs its name", errors=[wrong]) from None
