"""One-time links: invitations and password resets, handed out by administrators, used once."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request, Response

from app import clock
from app.accounts.identity import Access
from app.accounts.welcome.entities import Link
from app.security.one_time_tokens import MAX_LENGTH
from routers.http.qr import qr_text
from routers.v1.schemas.accounts.accounts import Account
from routers.v1.schemas.accounts.invitations import (
    CreatedInvitation,
    Invitation,
    InvitationCreate,
    InvitationList,
    Offer,
    OfferAcceptance,
    PasswordReset,
    PasswordResetCreate,
)
from routers.v1.schemas.lists import DEFAULT_LIMIT, CursorParam, Limit
from routers.web.dependencies import Requires, RuntimeDep
from routers.web.forwarded import address_of
from routers.web.problems import problems
from routers.web.route import HoldallRoute
from routers.web.urls import locate, one_time_url

router = APIRouter(prefix="/v1", tags=["invitations"], route_class=HoldallRoute)

AdminAccess = Annotated[Access, Depends(Requires("admin"))]
Token = Annotated[str, Path(max_length=MAX_LENGTH, description="The last part of the link.")]


@router.post("/invitations", status_code=201, operation_id="invitations_create")
async def create(
    body: InvitationCreate,
    request: Request,
    response: Response,
    access: AdminAccess,
    runtime: RuntimeDep,
) -> CreatedInvitation:
    """Invite somebody by a link that makes one account. For administrators.

    It works where registration is closed, too. Its URL is answered this once, and goes to the
    address if the service sends mail.
    """
    url_of = one_time_url(request, runtime)
    link, invitation = await runtime.welcome.invite(access, **body.model_dump(), url_of=url_of)
    locate(request, response, f"/v1/invitations/{invitation.uuid}")
    return CreatedInvitation.of(invitation, **await _shown(link))


@router.get("/invitations", operation_id="invitations_list", responses=problems(400))
async def list_all(
    access: AdminAccess,
    runtime: RuntimeDep,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorParam = None,
) -> InvitationList:
    """List the invitations that can be accepted, newest first. For administrators."""
    page = await runtime.welcome.invitations(access, limit, cursor)
    items = [Invitation.of(invitation) for invitation in page.items]
    return InvitationList(items=items, next_cursor=page.next_cursor)


@router.delete(
    "/invitations/{id}",
    status_code=204,
    operation_id="invitations_delete",
    responses=problems(404),
)
async def delete(id: UUID, access: AdminAccess, runtime: RuntimeDep) -> None:  # noqa: A002
    """Withdraw an invitation at once. For administrators."""
    await runtime.welcome.take_back(access, str(id))


@router.post(
    "/accounts/{id}/password-reset",
    operation_id="invitations_reset_password",
    responses=problems(404, 409),
)
async def reset_password(
    id: UUID,  # noqa: A002 - on the wire
    body: PasswordResetCreate,
    request: Request,
    access: AdminAccess,
    runtime: RuntimeDep,
) -> PasswordReset:
    """Make a link by which an account's owner sets a new password, once. For administrators.

    It takes the place of any former one, and goes to the account's address if the service sends
    mail. The old password stays good until the link is used; then all sessions and API keys end.
    """
    link, account, new = await runtime.welcome.offer_reset(
        access,
        str(id),
        body.expires_in,
        ends_second_factor=body.ends_second_factor,
        url_of=one_time_url(request, runtime),
    )
    return PasswordReset(
        username=account.username,
        expires_at=clock.to_datetime(new.expires_at),
        **await _shown(link),
    )


async def _shown(link: Link) -> dict[str, Any]:
    """Return how a new link is answered."""
    return {"url": link.url, "qr": await qr_text(link.url), "mailed": link.is_mailed}


@router.get("/welcome/{token}", operation_id="invitations_open", responses=problems(404, 429))
async def open_link(token: Token, request: Request, runtime: RuntimeDep) -> Offer:
    """Read what a one-time link offers. That doesn't use it up."""
    return Offer.of(await runtime.welcome.open(token, address=address_of(request)))


@router.post(
    "/welcome/{token}", operation_id="invitations_accept", responses=problems(404, 409, 429)
)
async def accept(
    token: Token, body: OfferAcceptance, request: Request, runtime: RuntimeDep
) -> Account:
    """Use a one-time link: make the account, or set its new password.

    If the name or the address is taken, the link stays good.
    """
    return Account.of(
        await runtime.welcome.accept(token, body.password, body.given, address=address_of(request))
    )
