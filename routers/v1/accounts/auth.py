"""Tokens: a session begins with a password, goes on by refreshing, and is revoked."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response

from app.accounts.identity import Access
from routers.http.forms.reading import read_form
from routers.http.forms.schemas import describe_form
from routers.v1.schemas.accounts.credentials import PasswordForm, RefreshRequest, TokenPair
from routers.web import logins
from routers.web.dependencies import Requires, RuntimeDep
from routers.web.problems import problems
from routers.web.route import HoldallRoute

CLIENT: Final = "v1"
"""Whose sessions these are: another contract's refresh tokens are no good here."""

router = APIRouter(prefix="/v1/auth", tags=["auth"], route_class=HoldallRoute)


@router.post(
    "/token",
    operation_id="auth_token",
    responses=problems(401, 429),
    openapi_extra=describe_form(PasswordForm),
)
async def token(request: Request, response: Response, runtime: RuntimeDep) -> TokenPair:
    """Log in with user name and password, as the OAuth2 password grant has it.

    The answer's access token goes into `Authorization: Bearer …`; the refresh token gets the next
    one. An account with a second factor needs a code of it: without one, the 401 has the type
    `urn:holdall:problem:second-factor-needed`.
    """
    form = await read_form(request, PasswordForm)
    login = await logins.authenticate(request, runtime, form.username, form.password, form.otp)
    tokens = await logins.begin(request, response, runtime, login, client=CLIENT)
    return TokenPair.of(tokens)


@router.post("/refresh", operation_id="auth_refresh", responses=problems(401))
async def refresh(body: RefreshRequest, runtime: RuntimeDep) -> TokenPair:
    """Trade a refresh token for a new pair.

    The old token returns the same successor for 30 s more. Used after that, it ends the session:
    somebody else has a copy.
    """
    return TokenPair.of(await runtime.logins.refresh(body.refresh_token, client=CLIENT))


@router.post("/revoke", status_code=204, operation_id="auth_revoke")
async def revoke(
    access: Annotated[Access, Depends(Requires("account"))], runtime: RuntimeDep
) -> None:
    """Log out: the caller's session ends, and its tokens stop working at once.

    Other sessions of the account, and its API keys, go on.
    """
    await runtime.logins.log_out(access)
