"""API keys: made, listed and ended by the account that they act for."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response

from app.accounts.identity import Access
from routers.v1.schemas.accounts.credentials import ApiKey, ApiKeyCreate, ApiKeyList, CreatedApiKey
from routers.v1.schemas.lists import DEFAULT_LIMIT, CursorParam, Limit
from routers.web.dependencies import Requires, RuntimeDep
from routers.web.problems import problems
from routers.web.route import HoldallRoute
from routers.web.urls import locate

router = APIRouter(prefix="/v1/accounts/me/keys", tags=["keys"], route_class=HoldallRoute)

OwnAccess = Annotated[Access, Depends(Requires("account"))]


@router.get("", operation_id="keys_list", responses=problems(400))
async def list_own(
    access: OwnAccess,
    runtime: RuntimeDep,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorParam = None,
) -> ApiKeyList:
    """List the API keys of the caller's account, newest first.

    The keys themselves are shown once, when they are made; `hint` tells them apart.
    """
    page = await runtime.logins.keys(access, limit, cursor)
    return ApiKeyList(items=[ApiKey.of(key) for key in page.items], next_cursor=page.next_cursor)


@router.post(
    "",
    status_code=201,
    operation_id="keys_create",
)
async def create(
    body: ApiKeyCreate,
    request: Request,
    response: Response,
    access: OwnAccess,
    runtime: RuntimeDep,
) -> CreatedApiKey:
    """Make an API key. It is shown in this answer only, and kept as a hash."""
    scopes = frozenset(scope.value for scope in body.scopes)
    key, record = await runtime.logins.create_key(access, body.name, scopes, body.expires_in)
    locate(request, response, f"/v1/accounts/me/keys/{record.uuid}")
    return CreatedApiKey.of(record, key=key)


@router.delete(
    "/{id}",
    status_code=204,
    operation_id="keys_delete",
    responses=problems(404),
)
async def delete(id: UUID, access: OwnAccess, runtime: RuntimeDep) -> None:  # noqa: A002
    """End an API key, at once.

    Requests that carry it are a 401 from then on.
    """
    await runtime.logins.end_key(access, str(id))
