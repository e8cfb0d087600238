"""Signing in, up and out by a browser; a program gets JSON and the same cookie.

These are the paths of Cloud Buffer, whose misspelt one for registering is served too.
"""

from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from pydantic import BaseModel, Field

from app.accounts.entities import Login
from app.accounts.otp import pending
from app.errors import ProblemError, SecondFactorNeeded
from app.runtime import Runtime
from routers.http.forms.reading import read_fields
from routers.http.negotiation import is_browser
from routers.pages.rendering.page import PageRoute, SignedIn, find_visitor, render_app
from routers.v1.schemas.accounts.accounts import GivenPassword, Otp
from routers.web import cookies, known_devices, logins
from routers.web.dependencies import RuntimeDep
from routers.web.urls import base_path

CLIENT: Final = "web"

router = APIRouter(include_in_schema=False, route_class=PageRoute)


class LoginForm(BaseModel):
    """A user name and a password, and the page of ours to go to then."""

    username: Annotated[str, Field(max_length=1024)]
    password: GivenPassword
    otp: Otp | None = None
    next: Annotated[str, Field(max_length=2048)] = ""


class CodeForm(BaseModel):
    """A code of the second factor, and the proof that the password was right."""

    proof: Annotated[str, Field(max_length=pending.MAX_LENGTH)]
    otp: Otp
    next: Annotated[str, Field(max_length=2048)] = ""


class DeletionForm(BaseModel):
    """The password of the account that is to be deleted, and a code if it has a second factor."""

    password: GivenPassword
    otp: Otp | None = None


class RegistrationForm(BaseModel):
    """What it takes to sign up; an address that is left empty is none."""

    username: Annotated[str, Field(max_length=1024)]
    email: Annotated[str, Field(max_length=1024)] | None = None
    password: GivenPassword


@router.get("/account/login")
async def login_page(
    request: Request,
    runtime: RuntimeDep,
    next: Annotated[str, Query(max_length=2048)] = "",  # noqa: A002 - in the URL
) -> Response:
    """Show the form for signing in."""
    if await find_visitor(request) is not None:
        return RedirectResponse(_place(request, next), 303)
    return await login_form(request, runtime, next=next)


@router.post("/account/login")
async def login(request: Request, runtime: RuntimeDep) -> Response:
    """Sign in; a browser is asked for a code of the second factor on another page."""
    cookies.check_origin(request, runtime)
    form = await read_fields(request, LoginForm)
    try:
        opened = await logins.authenticate(
            request, runtime, form.username, form.password, form.otp or None
        )
    except SecondFactorNeeded as error:
        return code_form(request, error, next=form.next)
    except ProblemError as error:
        if not is_browser(request):
            raise
        return await login_form(request, runtime, error, next=form.next, username=form.username)
    return await signed_in(request, runtime, opened, form.username, form.next)


@router.post("/account/login/code")
async def login_by_code(request: Request, runtime: RuntimeDep) -> Response:
    """Sign in by a code, after the password."""
    cookies.check_origin(request, runtime)
    form = await read_fields(request, CodeForm)
    client = logins.client_of(request, runtime)
    try:
        opened = await runtime.logins.authenticate_by_code(form.proof, form.otp, client)
    except SecondFactorNeeded as error:
        return code_form(request, error, next=form.next)
    except ProblemError as error:
        if not is_browser(request):
            raise
        return await login_form(request, runtime, error, next=form.next)
    return await signed_in(request, runtime, opened, opened.username, form.next)


@router.get("/account/register")
@router.get("/account/registet")
async def register_page(request: Request, runtime: RuntimeDep) -> Response:
    """Show the form for signing up."""
    return await _register_form(request, runtime)


@router.post("/account/register")
@router.post("/account/registet")
async def register(request: Request, runtime: RuntimeDep) -> Response:
    """Sign up, which signs in."""
    cookies.check_origin(request, runtime)
    form = await read_fields(request, RegistrationForm)
    try:
        await logins.sign_up(request, runtime, form.username, form.email or None, form.password)
        opened = await logins.authenticate(request, runtime, form.username, form.password)
    except ProblemError as error:
        if not is_browser(request):
            raise
        given = {"username": form.username, "email": form.email or ""}
        return await _register_form(request, runtime, error, **given)
    return await signed_in(request, runtime, opened, form.username)


@router.post("/account/logout")
async def logout(request: Request, runtime: RuntimeDep, visitor: SignedIn) -> Response:
    """Sign out: the session ends, and its cookie with it."""
    await runtime.logins.log_out(visitor.access)
    response: Response = JSONResponse({"username": visitor.identity.username})
    if is_browser(request):
        response = RedirectResponse(f"{base_path(request)}/", 303)
    cookies.forget(request, runtime, response)
    return response


@router.post("/account/delete")
async def delete(request: Request, runtime: RuntimeDep, visitor: SignedIn) -> Response:
    """Delete the account; the page's script does the same by the API."""
    form = await read_fields(request, DeletionForm)
    await runtime.accounts.delete_own(visitor.access, form.password, form.otp or None)
    return RedirectResponse(f"{base_path(request)}/account/goodbye", 303)


@router.get("/account/goodbye")
async def goodbye(request: Request, runtime: RuntimeDep) -> Response:
    """Say what became of an account that has just been deleted."""
    if await find_visitor(request) is not None:
        return RedirectResponse(f"{base_path(request)}/", 303)
    response = render_app(request, "goodbye.html", None, place="goodbye")
    cookies.forget(request, runtime, response)
    return response


async def signed_in(
    request: Request,
    runtime: Runtime,
    opened: Login,
    username: str,
    next: str = "",  # noqa: A002 - as in the URL
) -> Response:
    """Begin a session, and lead to the page ``next``, or the home page."""
    session = await logins.open_session(request, runtime, opened, client=CLIENT, in_cookie=True)
    response: Response = JSONResponse({"username": username})
    if is_browser(request):
        response = RedirectResponse(_place(request, next), 303)
    cookies.keep(request, runtime, response, opened, session)
    known_devices.remember(request, runtime, response, opened)
    return response


def _place(request: Request, path: str) -> str:
    """Return where to go from here: a path of ours, never another site's."""
    is_ours = path.startswith("/") and path[1:2] not in {"/", "\\"} and path.isprintable()
    return base_path(request) + (path if is_ours else "/")


def code_form(
    request: Request,
    error: SecondFactorNeeded,
    *,
    next: str = "",  # noqa: A002 - in the URL
) -> Response:
    """Show the form for a code of the second factor, after which comes the page ``next``."""
    if not is_browser(request):
        return JSONResponse({"detail": error.detail, "type": error.type}, error.status)
    return render_app(
        request,
        "login_code.html",
        None,
        200 if error.wrong is None else error.status,
        place="login",
        wrong=error.wrong,
        proof=error.proof,
        next=next,
    )


async def login_form(
    request: Request,
    runtime: Runtime,
    error: ProblemError | None = None,
    *,
    next: str = "",  # noqa: A002 - in the URL
    username: str = "",
) -> Response:
    """Show the form for signing in, with what was wrong; after it comes the page ``next``."""
    return await _form(request, runtime, "login.html", error, next=next, username=username)


async def _register_form(
    request: Request,
    runtime: Runtime,
    error: ProblemError | None = None,
    *,
    username: str = "",
    email: str = "",
) -> Response:
    return await _form(request, runtime, "register.html", error, username=username, email=email)


async def _form(
    request: Request, runtime: Runtime, template: str, error: ProblemError | None, **given: str
) -> Response:
    response = render_app(
        request,
        template,
        None,
        200 if error is None else error.status,
        place="login",
        wrong=error,
        registration=(await runtime.accounts.registration()).value,
        **given,
    )
    if error is not None:
        response.headers.update(error.headers)  # when to try again, for one
    return response
