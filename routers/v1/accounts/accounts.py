"""Accounts: signing up, one's own, and their administration."""

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response

from app.accounts.identity import Access
from app.errors import FieldError, InvalidRequest
from routers.http.archives import ZIP, send_archive
from routers.http.downloads import DownloadHeaders
from routers.v1.schemas.accounts.accounts import (
    Account,
    AccountAdministration,
    AccountChange,
    AccountCreate,
    AccountDeletion,
    AccountList,
    AdministeredAccount,
)
from routers.v1.schemas.lists import DEFAULT_LIMIT, CursorParam, Limit
from routers.web import logins
from routers.web.dependencies import Requires, RuntimeDep
from routers.web.downloadable import downloadable
from routers.web.openapi import archive_answer
from routers.web.problems import problems
from routers.web.route import HoldallRoute
from routers.web.urls import locate

router = APIRouter(prefix="/v1/accounts", tags=["accounts"], route_class=HoldallRoute)

OwnAccess = Annotated[Access, Depends(Requires("account"))]
AdminAccess = Annotated[Access, Depends(Requires("admin"))]


@router.post(
    "",
    status_code=201,
    operation_id="accounts_create",
    responses=problems(401, 403, 409, 429),
)
async def create(
    body: AccountCreate, request: Request, response: Response, runtime: RuntimeDep
) -> Account:
    """Sign up. Where registration is closed, only an administrator's token permits it."""
    account = await logins.sign_up(request, runtime, body.username, body.email, body.password)
    locate(request, response, f"/v1/accounts/{account.uuid}")
    return Account.of(account)


@router.get("/me", operation_id="accounts_read_me")
async def read_me(access: OwnAccess, runtime: RuntimeDep) -> Account:
    """Return the caller's account and what it uses.

    Limits are those of its tier; null is none.
    """
    return Account.of(await runtime.accounts.profile(access))


@downloadable(
    router,
    "/me/takeout",
    get="accounts_get_takeout",
    head="accounts_head_takeout",
    answer=archive_answer,
)
async def get_takeout(request: Request, access: OwnAccess, runtime: RuntimeDep) -> Response:
    """Get all that the account keeps as one ZIP, or a range of it.

    Contents are in folders by their kinds; what is known of them, and of links, keys and sessions,
    is in `account`, a line of JSON each, without secrets. As long as nothing changes, the bytes
    stay the same, so that a download can be resumed.
    """
    name = f"{(await runtime.accounts.profile(access)).username}.zip"
    archive = partial(runtime.takeout.archive, access)
    return await send_archive(request, runtime, archive, DownloadHeaders(name, ZIP))


@router.patch(
    "/me",
    operation_id="accounts_update_me",
    responses=problems(409, 429),
)
async def update_me(body: AccountChange, access: OwnAccess, runtime: RuntimeDep) -> Account:
    """Change email address, password, the name that visitors see, or where source lines are.

    For the first two the current password is needed, and a code of the second factor, if there is
    one. A new password ends every session and API key.
    """
    changes = body.model_dump(include={"email", "password"}, exclude_unset=True)
    facts = body.model_dump(include={"display_name", "source_url"}, exclude_unset=True)
    if changes or not facts:
        if body.current_password is None:
            missing = FieldError(loc=["body", "current_password"], msg="Field required")
            raise InvalidRequest(errors=[missing])
        account = await runtime.accounts.update_own(
            access, body.current_password, body.otp, changes
        )
    if facts:
        account = await runtime.accounts.describe(access, facts)
    return Account.of(account)


@router.post(
    "/me/delete",
    status_code=204,
    operation_id="accounts_delete_me",
    responses=problems(409, 429),
)
async def delete_me(body: AccountDeletion, access: OwnAccess, runtime: RuntimeDep) -> None:
    """Delete the caller's account and all it has: hidden at once, then deleted.

    The password is asked for again, and a code of the second factor, if there is one. The user
    name is free again when everything is gone.
    """
    await runtime.accounts.delete_own(access, body.password, body.otp)


@router.get("", operation_id="accounts_list", responses=problems(400))
async def list_all(
    access: AdminAccess,
    runtime: RuntimeDep,
    q: Annotated[
        str | None,
        Query(
            max_length=320,
            pattern=r"^[^\x00]*$",
            description="A part of the user name or the email address, without case.",
        ),
    ] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorParam = None,
) -> AccountList:
    """List the accounts, newest first. For administrators."""
    page = await runtime.accounts.search(access, q, limit, cursor)
    items = [AdministeredAccount.of(account) for account in page.items]
    return AccountList(items=items, next_cursor=page.next_cursor)


@router.get("/{id}", operation_id="accounts_read", responses=problems(404))
async def read(
    id: UUID,  # noqa: A002 - on the wire
    access: AdminAccess,
    runtime: RuntimeDep,
) -> AdministeredAccount:
    """Return an account. For administrators."""
    return AdministeredAccount.of(await runtime.accounts.find(access, str(id)))


@router.patch(
    "/{id}",
    operation_id="accounts_update",
    responses=problems(404, 409),
)
async def update(
    id: UUID,  # noqa: A002 - on the wire
    body: AccountAdministration,
    access: AdminAccess,
    runtime: RuntimeDep,
) -> AdministeredAccount:
    """Set an account's tier, or whether it is active or an administrator. For administrators.

    A deactivated account's sessions and API keys end at once.
    """
    changes = body.model_dump(exclude_none=True)
    return AdministeredAccount.of(await runtime.accounts.administer(access, str(id), changes))


@router.delete(
    "/{id}",
    status_code=204,
    operation_id="accounts_delete",
    responses=problems(404, 409),
)
async def delete(id: UUID, access: AdminAccess, runtime: RuntimeDep) -> None:  # noqa: A002
    """Delete an account and all it has. For administrators."""
    await runtime.accounts.delete(access, str(id))
