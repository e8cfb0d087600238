"""Timelinks: made, listed and revoked by the owner of their targets."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from app.accounts.identity import Access
from app.errors import NotFound
from app.links.entities import LinkSort, Wanted
from routers.http.qr import Format, FormatParam, qr_answer, qr_response
from routers.v1.schemas.lists import DEFAULT_LIMIT, SORTED_NOTE, CursorParam, Limit, NameParam
from routers.v1.schemas.timelinks import LinkState, NewTimelink, Timelink, TimelinkList
from routers.web.dependencies import Requires, RuntimeDep
from routers.web.problems import problems
from routers.web.route import HoldallRoute
from routers.web.urls import link_url, locate

router = APIRouter(prefix="/v1/timelinks", tags=["timelinks"], route_class=HoldallRoute)

Reading = Annotated[Access, Depends(Requires("timelinks:read"))]
Writing = Annotated[Access, Depends(Requires("timelinks:write"))]


@router.post(
    "",
    status_code=201,
    operation_id="timelinks_create",
    response_model=Timelink,
    responses=problems(404),
)
async def create(
    body: NewTimelink,
    request: Request,
    response: Response,
    runtime: RuntimeDep,
    access: Writing,
) -> Timelink:
    """Make a public link. It ends no later than its target, and follows replacements of that."""
    link = await runtime.links.create(
        access,
        body.kind.value,
        body.id,
        body.time,
        max_downloads=body.max_downloads,
        password=body.password,
        note=body.note,
        originals=body.originals,
    )
    locate(request, response, f"/v1/timelinks/{link.uuid}")
    return Timelink.of(link, link_url(request, runtime, link.ref))


@router.get(
    "",
    operation_id="timelinks_list",
    response_model=TimelinkList,
    responses=problems(400),
)
async def list_timelinks(
    request: Request,
    runtime: RuntimeDep,
    access: Reading,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorParam = None,
    state: Annotated[
        LinkState | None,
        Query(description="Only links that are active, or only those that have ended."),
    ] = None,
    q: NameParam = "",
    sort: Annotated[
        LinkSort,
        Query(
            description=f"{SORTED_NOTE}; `ends` begins with what ends first, `used` with the one "
            "that has the most downloads."
        ),
    ] = LinkSort.NEWEST,
) -> TimelinkList:
    """List the account's links, newest first; those that ended stay for 30 days.

    URLs are the same as when the links were made; null for those whose signing key is gone.
    """
    only_active = None if state is None else state is LinkState.ACTIVE
    page = await runtime.links.page(access, limit, cursor, Wanted(q, sort, only_active))
    items = [Timelink.of(link, link_url(request, runtime, link.ref)) for link in page.items]
    return TimelinkList(items=items, next_cursor=page.next_cursor)


@router.delete(
    "/{id}",
    status_code=204,
    operation_id="timelinks_delete",
    responses=problems(404),
)
async def delete(id: UUID, runtime: RuntimeDep, access: Writing) -> None:  # noqa: A002 - on the wire
    """Revoke a link at once.

    Its URL answers 404 from then on; its target stays.
    """
    await runtime.links.revoke(access, str(id))


@router.get(
    "/{id}/qr",
    operation_id="timelinks_get_qr",
    response_class=Response,
    responses=qr_answer() | problems(404),
)
async def get_qr(
    id: UUID,  # noqa: A002 - on the wire
    request: Request,
    runtime: RuntimeDep,
    access: Reading,
    image_format: FormatParam = Format.SVG,
) -> Response:
    """Get the QR code of a link that is active.

    A link that has ended is a 404.
    """
    link = await runtime.links.find(access, str(id))
    if not link.is_active:
        raise NotFound("Link expired")
    url = link_url(request, runtime, link.ref)
    if url is None:
        raise NotFound("The link was made with a signing key that is no longer set")
    return await qr_response(url, image_format)
