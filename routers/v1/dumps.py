"""Dumps: uploaded with a label, listed, searched, replaced, downloaded, deleted."""

import json
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import Response

from app import clock
from app.accounts.identity import Access
from app.dumps import attachments as dump_attachments
from app.dumps import groups as dump_groups
from app.dumps import rows as dumps
from app.dumps.search import Filters
from routers.http import ranges
from routers.http.downloads import Named, send_content
from routers.http.headers import DEFAULT_TYPE
from routers.v1 import dump_forms
from routers.v1.schemas.dumps import (
    CrashReport,
    DumpAttachment,
    DumpAttachmentList,
    DumpChange,
    DumpChangeForm,
    DumpDetails,
    DumpFacts,
    DumpForm,
    DumpLabel,
    DumpLabelList,
    DumpList,
    DumpReplacementForm,
    DumpSignature,
    DumpSignatureList,
    dump_filters,
)
from routers.v1.schemas.lists import DEFAULT_LIMIT, CursorParam, Limit
from routers.web.dependencies import Requires, RuntimeDep
from routers.web.downloadable import downloadable
from routers.web.openapi import json_body, multipart_body
from routers.web.problems import problems
from routers.web.route import HoldallRoute, direct
from routers.web.urls import locate

router = APIRouter(prefix="/v1/dumps", tags=["dumps"], route_class=HoldallRoute)

Reading = Annotated[Access, Depends(Requires("dumps:read"))]
Writing = Annotated[Access, Depends(Requires("dumps:write"))]

_CHANGE: Final = multipart_body(DumpChangeForm)
_CHANGE["requestBody"]["content"] |= json_body(DumpChange)["requestBody"]["content"]


@router.post(
    "",
    status_code=201,
    operation_id="dumps_create",
    response_model=DumpFacts,
    responses=problems(400, 401, 403, 408, 409, 413, 422, 503, 507),
    openapi_extra=multipart_body(DumpForm),
)
async def create(
    request: Request, response: Response, runtime: RuntimeDep, access: Writing
) -> DumpFacts:
    """Store a dump. A minidump is read afterwards: see its report."""
    dump = await dump_forms.create(request, runtime, access)
    locate(request, response, f"/v1/dumps/{dump.uuid}")
    return DumpFacts.of(dump)


@router.get(
    "",
    operation_id="dumps_list",
    response_model=DumpList,
    responses=problems(400, 401, 403, 422, 503),
)
async def list_dumps(
    access: Reading,
    filters: Annotated[Filters, Depends(dump_filters)],
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorParam = None,
) -> DumpList:
    """List dumps, newest first.

    Where filters pass very little, a page may end early, even empty, and have a `next_cursor`.
    """
    page = await access.read_long(dumps.page, filters, limit, cursor, clock.now())
    return DumpList(items=[DumpFacts.of(dump) for dump in page.items], next_cursor=page.next_cursor)


@router.get(
    "/labels",
    operation_id="dumps_list_labels",
    response_model=DumpLabelList,
    responses=problems(400, 401, 403, 422, 503),
)
async def list_labels(
    access: Reading, limit: Limit = DEFAULT_LIMIT, cursor: CursorParam = None
) -> DumpLabelList:
    """List the labels that dumps have, in their order."""
    page = await access.read_long(dump_groups.labels, limit, cursor, clock.now())
    items = [DumpLabel.of(group) for group in page.items]
    return DumpLabelList(items=items, next_cursor=page.next_cursor)


@router.get(
    "/signatures",
    operation_id="dumps_list_signatures",
    response_model=DumpSignatureList,
    responses=problems(400, 401, 403, 422, 503),
)
async def list_signatures(
    access: Reading, limit: Limit = DEFAULT_LIMIT, cursor: CursorParam = None
) -> DumpSignatureList:
    """List the signatures that crashes have in common, in their order."""
    page = await access.read_long(dump_groups.signatures, limit, cursor, clock.now())
    items = [DumpSignature.of(group) for group in page.items]
    return DumpSignatureList(items=items, next_cursor=page.next_cursor)


@router.get(
    "/{id}",
    operation_id="dumps_get",
    response_model=DumpDetails,
    responses=problems(401, 403, 404, 422, 503),
)
async def get(id: UUID, access: Reading) -> DumpDetails:  # noqa: A002 - on the wire
    """Get what is known of a dump."""
    dump, report, attachments = await access.read(dump_attachments.find_all, str(id), clock.now())
    read = json.loads(report or "{}")
    return DumpDetails.of(
        dump,
        report=CrashReport(**read) if dump.report_state == "read" else None,
        report_error=read.get("error"),
        attachments=[DumpAttachment.of(attachment) for attachment in attachments],
    )


@router.put(
    "/{id}",
    operation_id="dumps_replace",
    response_model=DumpFacts,
    responses=problems(400, 401, 403, 404, 408, 409, 412, 413, 422, 503, 507),
    openapi_extra=multipart_body(DumpReplacementForm),
)
async def replace(
    id: UUID,  # noqa: A002 - on the wire
    request: Request,
    runtime: RuntimeDep,
    access: Writing,
) -> DumpFacts:
    """Replace a dump's file and its label."""
    return DumpFacts.of(await dump_forms.replace(request, runtime, access, str(id)))


@router.patch(
    "/{id}",
    operation_id="dumps_update",
    response_model=DumpFacts,
    responses=problems(400, 401, 403, 404, 408, 409, 412, 413, 422, 503, 507),
    openapi_extra=_CHANGE,
)
async def update(
    id: UUID,  # noqa: A002 - on the wire
    request: Request,
    runtime: RuntimeDep,
    access: Writing,
) -> DumpFacts:
    """Change a dump: by JSON, or by a form, which may have a file."""
    return DumpFacts.of(await dump_forms.change(request, runtime, access, str(id)))


@router.delete(
    "/{id}",
    operation_id="dumps_delete",
    response_model=DumpFacts,
    responses=problems(400, 401, 403, 404, 412, 422, 503),
)
async def delete(
    id: UUID,  # noqa: A002 - on the wire
    request: Request,
    runtime: RuntimeDep,
    access: Writing,
) -> DumpFacts:
    """Delete a dump with its attachments; the answer says what it was."""
    conditions = ranges.write_preconditions(request.headers)
    dump = await access.write(dumps.remove, str(id), conditions, clock.now())
    runtime.sweep.wake()
    return DumpFacts.of(dump)


@downloadable(
    router,
    "/{id}/content",
    get="dumps_get_content",
    head="dumps_head_content",
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
    """Get a dump's bytes, or a range of them."""
    dump = await access.read(dumps.find, str(id), clock.now())
    named = Named(dump.original_name, DEFAULT_TYPE)
    return await send_content(request, runtime, dump.content, named, inline=inline)


@router.get(
    "/{id}/attachments",
    operation_id="dumps_list_attachments",
    response_model=DumpAttachmentList,
    responses=problems(401, 403, 404, 422, 503),
)
async def list_attachments(id: UUID, access: Reading) -> DumpAttachmentList:  # noqa: A002
    """List a dump's attachments, all of them."""
    _, _, attachments = await access.read(dump_attachments.find_all, str(id), clock.now())
    items = [DumpAttachment.of(attachment) for attachment in attachments]
    return DumpAttachmentList(items=items, next_cursor=None)


@downloadable(
    router,
    "/{id}/attachments/{attachment_id}/content",
    get="dumps_get_attachment",
    head="dumps_head_attachment",
)
@direct
async def get_attachment(
    id: UUID,  # noqa: A002 - on the wire
    attachment_id: Annotated[UUID, Path(description="The attachment's id.")],
    request: Request,
    runtime: RuntimeDep,
    access: Reading,
    *,
    inline: bool = False,
) -> Response:
    """Get an attachment's bytes, or a range of them."""
    attachment = await access.read(dump_attachments.find, str(id), str(attachment_id), clock.now())
    named = Named(attachment.name, attachment.content_type)
    return await send_content(request, runtime, attachment.content, named, inline=inline)
