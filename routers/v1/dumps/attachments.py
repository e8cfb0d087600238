"""Attachments of dumps: list and download them."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import Response

from app.accounts.identity import Access
from routers.http.downloads import DownloadHeaders, send_content
from routers.v1.schemas.dumps.dumps import DumpAttachment, DumpAttachmentList
from routers.web.dependencies import Requires, RuntimeDep
from routers.web.downloadable import downloadable
from routers.web.problems import problems
from routers.web.route import HoldallRoute, direct

router = APIRouter(prefix="/v1/dumps", tags=["dumps"], route_class=HoldallRoute)

Reading = Annotated[Access, Depends(Requires("dumps:read"))]


@router.get(
    "/{id}/attachments",
    operation_id="dumps_list_attachments",
    response_model=DumpAttachmentList,
    responses=problems(404),
)
async def list_attachments(
    id: UUID,  # noqa: A002 - on the wire
    runtime: RuntimeDep,
    access: Reading,
) -> DumpAttachmentList:
    """List all of a dump's attachments.

    They are in the order in which they were sent, all on one page.
    """
    details = await runtime.dumps.find_details(access, str(id))
    items = [DumpAttachment.of(attachment) for attachment in details.attachments]
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
    """Get an attachment's bytes, or a range of them.

    Conditions and ranges are honoured.
    """
    attachment = await runtime.dumps.find_attachment(access, str(id), str(attachment_id))
    headers = DownloadHeaders(attachment.name, attachment.content_type)
    return await send_content(request, runtime, attachment.content, headers, inline=inline)
