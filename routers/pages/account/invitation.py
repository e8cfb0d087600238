"""The page of a one-time link: who is invited makes an account, others set a new password."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from app.accounts.welcome.entities import Offer
from app.errors import NotFound, ProblemError, SecondFactorNeeded
from app.runtime import Runtime
from app.security.one_time_tokens import MAX_LENGTH
from routers.http.forms.reading import read_fields
from routers.http.negotiation import is_browser
from routers.pages.account import account
from routers.pages.public.visiting import HEADERS, LinkRoute
from routers.pages.rendering.page import render_app
from routers.v1.schemas.accounts.accounts import GivenPassword
from routers.web import cookies, logins
from routers.web.dependencies import RuntimeDep
from routers.web.forwarded import address_of

router = APIRouter(prefix="/welcome", include_in_schema=False, route_class=LinkRoute)

Token = Annotated[str, Path(max_length=MAX_LENGTH)]


class AcceptanceForm(BaseModel):
    """A password, and what an invitation's account is to be called."""

    username: Annotated[str, Field(max_length=1024)] | None = None
    email: Annotated[str, Field(max_length=1024)] | None = None
    password: GivenPassword


@router.get("/{token}")
async def show(token: Token, request: Request, runtime: RuntimeDep) -> Response:
    """Show what a link offers, which doesn't use it up."""
    offer = await runtime.welcome.open(token, address=address_of(request))
    return _form(request, offer, email=offer.email or "")


@router.post("/{token}")
async def accept(token: Token, request: Request, runtime: RuntimeDep) -> Response:
    """Use a link up, and sign in."""
    cookies.check_origin(request, runtime)
    form = await read_fields(request, AcceptanceForm)
    given = form.model_dump(include={"username", "email"}, exclude_unset=True)
    given |= {"email": form.email or None} if "email" in given else {}
    try:
        made = await runtime.welcome.accept(
            token, form.password, given, address=address_of(request)
        )
    except NotFound:
        raise
    except ProblemError as error:
        if not is_browser(request):
            raise
        return await _again(token, request, runtime, error, form)
    try:
        opened = await logins.authenticate(request, runtime, made.username, form.password)
    except SecondFactorNeeded as error:
        return _protected(account.code_form(request, error))
    return _protected(await account.signed_in(request, runtime, opened, made.username))


async def _again(
    token: str, request: Request, runtime: Runtime, error: ProblemError, form: AcceptanceForm
) -> Response:
    """Show the form again, with what was wrong."""
    offer = await runtime.welcome.open(token, address=address_of(request))
    return _form(request, offer, error, username=form.username or "", email=form.email or "")


def _form(
    request: Request,
    offer: Offer,
    error: ProblemError | None = None,
    *,
    username: str = "",
    email: str = "",
) -> Response:
    response = render_app(
        request,
        "invitation.html",
        None,
        200 if error is None else error.status,
        place="login",
        offer=offer,
        wrong=error,
        username=username,
        email=email,
    )
    if error is not None:
        response.headers.update(error.headers)
    return _protected(response)


def _protected(response: Response) -> Response:
    response.headers.update(HEADERS)
    return response
