"""Dumps: create, list, search, change, replace, download and delete them."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import PlainTextResponse, Response

from app.accounts.identity import Access
from app.dumps.entities import Filters
from app.uploads.entities import Kind
from routers.http import ranges
from routers.http.downloads import DownloadHeaders, send_content
from routers.http.forms.schemas import form_or_raw, multipart_body
from routers.http.headers import DEFAULT_TYPE
from routers.v1 import answers
from routers.v1.forms import dumps as dump_forms
from routers.v1.forms import raw as raw_forms
from routers.v1.schemas.dumps.dumps import (
    Dump,
    DumpChange,
    DumpChangeForm,
    DumpDetails,
    DumpForm,
    DumpLabel,
    DumpLabelList,
    DumpList,
    DumpReplacementForm,
    dump_filters,
)
from routers.v1.schemas.lists import DEFAULT_LIMIT, CursorParam, Limit
from routers.v1.uploads import by_draft
from routers.web.dependencies import Requires, RuntimeDep
from routers.web.downloadable import downloadable
from routers.web.openapi import json_body, text_answer
from routers.web.problems import problems
from routers.web.route import HoldallRoute, direct

router = APIRouter(prefix="/v1/dumps", tags=["dumps"], route_class=HoldallRoute)

Reading = Annotated[Access, Depends(Requires("dumps:read"))]
Writing = Annotated[Access, Depends(Requires("dumps:write"))]

_REPORT: Final = "Operating system: linux\nCPU: x86_64\n\nCrash reason:  SIGSEGV / SEGV_MAPERR\n"
_CHANGE: Final = multipart_body(DumpChangeForm)
_CHANGE["requestBody"]["content"] |= json_body(DumpChange)["requestBody"]["content"]


@router.post(
    "",
    status_code=201,
    operation_id="dumps_create",
    response_model=Dump,
    responses=problems(408, 409),
    openapi_extra=form_or_raw(DumpForm),
)
async def create(request: Request, runtime: RuntimeDep, access: Writing) -> Response:
    """Create a dump. A minidump is read afterwards: see its report.

    A body of any other type than a form's is the file itself: its name is in `Content-Disposition`
    or `?name=`, the fields are in the query.
    """
    if await raw_forms.is_raw(request, access):
        return await raw_forms.create(request, runtime, access, Kind.DUMP)
    return answers.made(request, runtime, await dump_forms.create(request, runtime, access))


by_draft.announce(router, "", "dumps_options")


@router.get(
    "",
    operation_id="dumps_list",
    response_model=DumpList,
    responses=problems(400),
)
async def list_dumps(
    runtime: RuntimeDep,
    access: Reading,
    filters: Annotated[Filters, Depends(dump_filters)],
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorParam = None,
) -> DumpList:
    """List dumps, newest first.

    Where few dumps pass the filters, a page with a `next_cursor` may be short, or even empty.
    """
    page = await runtime.dumps.page(access, filters, limit, cursor)
    return DumpList(items=[Dump.of(dump) for dump in page.items], next_cursor=page.next_cursor)


@router.get(
    "/labels",
    operation_id="dumps_list_labels",
    response_model=DumpLabelList,
    responses=problems(400),
)
async def list_labels(
    runtime: RuntimeDep, access: Reading, limit: Limit = DEFAULT_LIMIT, cursor: CursorParam = None
) -> DumpLabelList:
    """List the labels in use, in order.

    Each comes with how many dumps have it, how large they are together, and when the first and the
    last came.
    """
    page = await runtime.dumps.labels(access, limit, cursor)
    items = [DumpLabel.of(group) for group in page.items]
    return DumpLabelList(items=items, next_cursor=page.next_cursor)


@router.get(
    "/{id}",
    operation_id="dumps_get",
    response_model=DumpDetails,
    responses=problems(404),
)
async def get(id: UUID, runtime: RuntimeDep, access: Reading) -> DumpDetails:  # noqa: A002 - on the wire
    """Get a dump with its report and its attachments.

    The report is null until the minidump has been read; `report_state` says how far that is.
    """
    return DumpDetails.of_details(await runtime.dumps.find_details(access, str(id)))


@router.get(
    "/{id}/report",
    operation_id="dumps_get_report",
    response_class=PlainTextResponse,
    responses=text_answer("The report", _REPORT) | problems(404),
)
async def get_report(id: UUID, runtime: RuntimeDep, access: Reading) -> PlainTextResponse:  # noqa: A002 - on the wire
    """Get a dump's report as text, in the form of `minidump-stackwalk`.

    A dump has none until its minidump has been read.
    """
    return PlainTextResponse(await runtime.dumps.report_text(access, str(id)))


@router.post(
    "/{id}/reprocess",
    status_code=202,
    operation_id="dumps_reprocess",
    response_model=Dump,
    responses=problems(404),
)
async def reprocess(id: UUID, runtime: RuntimeDep, access: Writing) -> Dump:  # noqa: A002 - on the wire
    """Have a minidump read again, with the symbols available by now.

    Its report is pending until that is done. When symbols arrive, the dumps whose stacks they
    are for are read again without this.
    """
    return Dump.of(await runtime.dumps.read_again(access, str(id)))


@router.put(
    "/{id}",
    operation_id="dumps_replace",
    response_model=Dump,
    responses=problems(404, 408, 409, 412),
    openapi_extra=multipart_body(DumpReplacementForm),
)
async def replace(
    id: UUID,  # noqa: A002 - on the wire
    request: Request,
    runtime: RuntimeDep,
    access: Writing,
) -> Dump:
    """Replace a dump's file and label.

    An absent label is removed. The new minidump is read afterwards, as the first was.
    """
    return Dump.of(await dump_forms.replace(request, runtime, access, str(id)))


@router.patch(
    "/{id}",
    operation_id="dumps_update",
    response_model=Dump,
    responses=problems(404, 408, 409, 412),
    openapi_extra=_CHANGE,
)
async def update(
    id: UUID,  # noqa: A002 - on the wire
    request: Request,
    runtime: RuntimeDep,
    access: Writing,
) -> Dump:
    """Change a dump by JSON, or by a form, which may have a new file.

    Fields that are absent stay as they are; in JSON, a label of null is removed.
    """
    return Dump.of(await dump_forms.change(request, runtime, access, str(id)))


@router.delete(
    "/{id}",
    operation_id="dumps_delete",
    response_model=Dump,
    responses=problems(400, 404, 412),
)
async def delete(
    id: UUID,  # noqa: A002 - on the wire
    request: Request,
    runtime: RuntimeDep,
    access: Writing,
) -> Dump:
    """Delete a dump with its attachments, and answer what it was.

    Its links end with it.
    """
    conditions = ranges.write_preconditions(request.headers)
    return Dump.of(await runtime.dumps.remove(access, str(id), conditions))


@downloadable(
    router,
    "/{id}/content",
    get="dumps_get_content",
    head="dumps_head_content",
    statuses=(401, 403, 404, 410, 412, 422, 503),
)
@direct
async def get_content(
    id: UUID,  # noqa: A002 - on the wire
    request: Request,
    runtime: RuntimeDep,
    access: Reading,
    *,
    inline: bool = False,
) -> Response:
    """Get a dump's bytes, or a range of them.

    Conditions and ranges are honoured; the name is that of the uploaded file.
    """
    dump = await runtime.dumps.find(access, str(id))
    dump.require_bytes()
    headers = DownloadHeaders(dump.original_name, DEFAULT_TYPE)
    return await send_content(request, runtime, dump.content, headers, inline=inline)
