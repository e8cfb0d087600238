"""Bundles: ordered sets of things, each set under one link."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response

from app.accounts.identity import Access
from app.bundles.entities import BundleSort, Wanted
from app.errors import NotFound
from app.runtime import Runtime
from routers.http.qr import Format, FormatParam, qr_answer, qr_response
from routers.v1.schemas.bundles import (
    Bundle,
    BundleChange,
    BundleList,
    BundleOptions,
    WholeBundle,
)
from routers.v1.schemas.bundles import Member as MemberAnswer
from routers.v1.schemas.files import FileState
from routers.v1.schemas.lists import DEFAULT_LIMIT, SORTED_NOTE, CursorParam, Limit, NameParam
from routers.web.dependencies import Requires, RuntimeDep
from routers.web.problems import problems
from routers.web.route import HoldallRoute
from routers.web.urls import locate, own_link

router = APIRouter(prefix="/v1/bundles", tags=["bundles"], route_class=HoldallRoute)

Reading = Annotated[Access, Depends(Requires("files:read"))]
Writing = Annotated[Access, Depends(Requires("files:write"))]

_FIRST: Final = 100


@router.post(
    "",
    status_code=201,
    operation_id="bundles_create",
    response_model=WholeBundle,
    responses=problems(409),
)
async def create(
    body: BundleOptions,
    request: Request,
    response: Response,
    runtime: RuntimeDep,
    access: Writing,
) -> WholeBundle:
    """Make an empty bundle, to which files and other things are added.

    Its limit of downloads and its password are its link's. Against `MAX_FILES` it counts as one.
    """
    hashed = await runtime.bundles.hash_password(access, body.password)
    bundle = await runtime.bundles.create(access, body.new_bundle(hashed))
    locate(request, response, f"/v1/bundles/{bundle.uuid}")
    return WholeBundle.of(bundle, own_link(request, runtime, bundle.link), items=[])


@router.get(
    "",
    operation_id="bundles_list",
    response_model=BundleList,
    responses=problems(400),
)
async def list_bundles(
    request: Request,
    runtime: RuntimeDep,
    access: Reading,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorParam = None,
    state: Annotated[
        FileState | None, Query(description="Only those that expire, or only those kept.")
    ] = None,
    q: NameParam = "",
    sort: Annotated[
        BundleSort, Query(description=f"{SORTED_NOTE}; `ends` begins with what ends first.")
    ] = BundleSort.NEWEST,
) -> BundleList:
    """List bundles, newest first.

    Each comes with its link, where it has one, and with how many members it has.
    """
    expiring = None if state is None else state is FileState.EXPIRING
    page = await runtime.bundles.page(access, limit, cursor, Wanted(q, sort, expiring))
    items = [Bundle.of(bundle, own_link(request, runtime, bundle.link)) for bundle in page.items]
    return BundleList(items=items, next_cursor=page.next_cursor)


@router.get(
    "/{id}",
    operation_id="bundles_get",
    response_model=WholeBundle,
    responses=problems(404),
)
async def get(id: UUID, request: Request, runtime: RuntimeDep, access: Reading) -> WholeBundle:  # noqa: A002 - on the wire
    """Get a bundle with the first of its members.

    All of them are listed by its `items`.
    """
    return await _whole(request, runtime, access, str(id))


@router.patch(
    "/{id}",
    operation_id="bundles_update",
    response_model=WholeBundle,
    responses=problems(404),
)
async def update(
    id: UUID,  # noqa: A002 - on the wire
    body: BundleChange,
    request: Request,
    runtime: RuntimeDep,
    access: Writing,
) -> WholeBundle:
    """Change a bundle, or close it: then adding to it is a 409.

    Fields that are absent stay as they are; an `expires_in` of 0 keeps it.
    """
    await runtime.bundles.change(access, str(id), body.facts())
    return await _whole(request, runtime, access, str(id))


@router.delete(
    "/{id}",
    status_code=204,
    operation_id="bundles_delete",
    responses=problems(404),
)
async def delete(id: UUID, runtime: RuntimeDep, access: Writing) -> None:  # noqa: A002 - on the wire
    """Delete a bundle with the files that it owns, and end its links.

    What it only points to stays.
    """
    await runtime.bundles.remove(access, str(id))


@router.get(
    "/{id}/qr",
    operation_id="bundles_get_qr",
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
    """Get the QR code of a bundle's link; a bundle without a link has none.

    A kept bundle has no link until one is made: that is a 404.
    """
    bundle = await runtime.bundles.find(access, str(id))
    url = own_link(request, runtime, bundle.link)
    if url is None:
        raise NotFound("The bundle has no link")
    return await qr_response(url, image_format)


async def _whole(request: Request, runtime: Runtime, access: Access, uuid: str) -> WholeBundle:
    bundle = await runtime.bundles.find(access, uuid)
    page = await runtime.bundles.page_of_members(access, uuid, _FIRST, None)
    items = [MemberAnswer.of(member) for member in page.items]
    return WholeBundle.of(bundle, own_link(request, runtime, bundle.link), items=items)
