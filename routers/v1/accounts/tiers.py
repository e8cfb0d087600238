"""Tiers: what accounts may keep. For administrators."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from app.accounts.identity import Access
from routers.v1.schemas.accounts.tiers import Tier, TierChange, TierCreate, TierList
from routers.v1.schemas.lists import DEFAULT_LIMIT, CursorParam, Limit
from routers.web.dependencies import Requires, RuntimeDep
from routers.web.problems import problems
from routers.web.route import HoldallRoute
from routers.web.urls import locate

router = APIRouter(prefix="/v1/tiers", tags=["tiers"], route_class=HoldallRoute)

AdminAccess = Annotated[Access, Depends(Requires("admin"))]


@router.get("", operation_id="tiers_list", responses=problems(400))
async def list_all(
    access: AdminAccess,
    runtime: RuntimeDep,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorParam = None,
) -> TierList:
    """List the tiers, newest first.

    Basic, Premium and Enterprise are there from the start.
    """
    page = await runtime.tiers.page(access, limit, cursor)
    return TierList(items=[Tier.of(tier) for tier in page.items], next_cursor=page.next_cursor)


@router.post(
    "",
    status_code=201,
    operation_id="tiers_create",
    responses=problems(409),
)
async def create(
    body: TierCreate,
    request: Request,
    response: Response,
    access: AdminAccess,
    runtime: RuntimeDep,
) -> Tier:
    """Make a tier.

    Only a name is needed; without a limit there is none. A name that is taken is a 409.
    """
    tier = Tier.of(await runtime.tiers.create(access, body.model_dump()))
    locate(request, response, f"/v1/tiers/{tier.id}")
    return tier


@router.get("/{id}", operation_id="tiers_read", responses=problems(404))
async def read(id: UUID, access: AdminAccess, runtime: RuntimeDep) -> Tier:  # noqa: A002
    """Return a tier.

    A limit of null is none.
    """
    return Tier.of(await runtime.tiers.find(access, str(id)))


@router.patch("/{id}", operation_id="tiers_update", responses=problems(404, 409))
async def update(
    id: UUID,  # noqa: A002 - on the wire
    body: TierChange,
    access: AdminAccess,
    runtime: RuntimeDep,
) -> Tier:
    """Change a tier; its accounts are under the new limits at once.

    Fields that are absent stay as they are; a limit of null is taken away.
    """
    return Tier.of(await runtime.tiers.change(access, str(id), body.facts()))


@router.delete(
    "/{id}",
    status_code=204,
    operation_id="tiers_delete",
    responses=problems(404, 409),
)
async def delete(id: UUID, access: AdminAccess, runtime: RuntimeDep) -> None:  # noqa: A002
    """Delete a tier that no account has.

    One that accounts have is a 409.
    """
    await runtime.tiers.delete(access, str(id))
