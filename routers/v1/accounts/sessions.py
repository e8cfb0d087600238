"""Sessions: the logins of one's own account."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends

from app.accounts.identity import Access
from routers.v1.schemas.accounts.credentials import Session, SessionList
from routers.v1.schemas.lists import DEFAULT_LIMIT, CursorParam, Limit
from routers.web.dependencies import Requires, RuntimeDep
from routers.web.problems import problems
from routers.web.route import HoldallRoute

router = APIRouter(prefix="/v1/accounts/me/sessions", tags=["sessions"], route_class=HoldallRoute)

OwnAccess = Annotated[Access, Depends(Requires("account"))]


@router.get("", operation_id="sessions_list", responses=problems(400))
async def list_own(
    access: OwnAccess,
    runtime: RuntimeDep,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorParam = None,
) -> SessionList:
    """List the sessions of the caller's account, newest first.

    `current` marks the one that asks.
    """
    page = await runtime.logins.page(access, limit, cursor)
    return SessionList(items=[Session.of(s) for s in page.items], next_cursor=page.next_cursor)


@router.delete("", status_code=204, operation_id="sessions_delete")
async def delete(access: OwnAccess, runtime: RuntimeDep) -> None:
    """Log out everywhere: every session of the account ends at once, and every API key.

    The caller's own session ends, too.
    """
    await runtime.logins.end_everything(access)


@router.delete(
    "/{id}",
    status_code=204,
    operation_id="sessions_end",
    responses=problems(404),
)
async def end(id: UUID, access: OwnAccess, runtime: RuntimeDep) -> None:  # noqa: A002
    """End one session of the caller's account, at once: perhaps the caller's own.

    Its access and refresh tokens stop working in every process.
    """
    await runtime.logins.end(access, str(id))
