"""VertexCloud: accounts and sessions."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from app.accounts.entities import Login, NewSession
from app.errors import (
    ConfirmationNeeded,
    EmailTaken,
    Forbidden,
    SecondFactorNeeded,
    Unauthorized,
    UsernameTaken,
)
from app.runtime import Runtime
from app.security.credentials import AccessToken
from routers.compat.vertexcloud import files as vertexcloud_files
from routers.compat.vertexcloud.keys import (
    Holder,
    Messages,
    VertexcloudRoute,
    answer,
    cookie_in,
    errors,
    find_by_cookie,
    find_holder,
    issue,
    refused,
)
from routers.compat.vertexcloud.schemas import (
    VertexcloudDeletion,
    VertexcloudDone,
    VertexcloudExistingKey,
    VertexcloudHealth,
    VertexcloudKey,
    VertexcloudKeyDetails,
    VertexcloudLoggedIn,
    VertexcloudLogin,
    VertexcloudNewKey,
    VertexcloudRefusal,
    VertexcloudSignedUp,
    VertexcloudSignup,
)
from routers.http.forms.reading import read_fields
from routers.http.forms.schemas import describe_any
from routers.web import cookies, known_devices, logins
from routers.web.dependencies import RuntimeDep

CLIENT: Final = "vertexcloud"

_KEYLESS: Final = "A token is required to access this Endpoint"
_CLEARING: Final = Messages(
    missing=_KEYLESS,
    keyless=_KEYLESS,
    unknown="Invalid token Key",
    gone="Invalid token Key",
)
_DELETING: Final = Messages(
    missing="You are not authorized to access this route, you must first be logged in",
    unknown="Invalid Key Credential",
    gone="User details is invalid",
)

router = APIRouter(tags=["vertexcloud"], route_class=VertexcloudRoute)
router.routes.extend(vertexcloud_files.router.routes)
router.routes.extend(vertexcloud_files.media.routes)

Key = Annotated[str | None, Query(description="The session's key.")]

_TAKES_LOGINS: Final[dict[int | str, dict[str, Any]]] = errors(400, 408, 413, 415, 429, 503, 507)


def health() -> Response:
    """Answer that the service runs: what programs get from `/`."""
    response = answer(VertexcloudHealth())
    response.headers["Vary"] = "Accept"
    return response


@router.post(
    "/signup/",
    operation_id="vertexcloud_signup",
    response_model=VertexcloudSignedUp | VertexcloudRefusal,
    responses=_TAKES_LOGINS,
    openapi_extra=describe_any(VertexcloudSignup),
)
async def signup(request: Request, runtime: RuntimeDep) -> Response:
    """Sign up, and begin a session.

    The answer has the key of that session; refusals have status 200, too.
    """
    form = await read_fields(request, VertexcloudSignup)
    try:
        await logins.sign_up(request, runtime, form.username, form.email or None, form.password)
    except UsernameTaken:
        return refused("Username already Exists")
    except EmailTaken:
        return refused("Email Already Exists")
    login = await logins.authenticate(request, runtime, form.username, form.password)
    begun = await _begin(request, runtime, login)
    message = f"New User {begun.user} has been created successfully"
    return _with_cookie(
        request, runtime, begun, VertexcloudSignedUp(message=message, key=begun.key)
    )


@router.post(
    "/login/",
    operation_id="vertexcloud_login",
    response_model=VertexcloudLoggedIn | VertexcloudRefusal,
    responses=_TAKES_LOGINS,
    openapi_extra=describe_any(VertexcloudLogin),
)
async def login(request: Request, runtime: RuntimeDep) -> Response:
    """Begin a session.

    The answer has its key, and a cookie for browsers.
    """
    form = await read_fields(request, VertexcloudLogin)
    try:
        found = await logins.authenticate_program(request, runtime, form.username, form.password)
    except SecondFactorNeeded as error:
        return refused(error.detail, current_user_status=False)
    except Unauthorized:
        message = "A severe Error Occured. Could not log you in. Try again"
        return refused(message, current_user_status=False)
    begun = await _begin(request, runtime, found)
    body = VertexcloudLoggedIn(user=begun.user, session_key=begun.key)
    return _with_cookie(request, runtime, begun, body)


@router.post(
    "/token/",
    operation_id="vertexcloud_token",
    response_model=VertexcloudExistingKey | VertexcloudNewKey | VertexcloudRefusal,
    responses=_TAKES_LOGINS,
    openapi_extra=describe_any(VertexcloudLogin),
)
async def token(request: Request, runtime: RuntimeDep) -> Response:
    """Return the key of the session whose cookie was sent, or begin a session.

    User name and password are needed either way.
    """
    form = await read_fields(request, VertexcloudLogin)
    try:
        found = await logins.authenticate_program(request, runtime, form.username, form.password)
    except SecondFactorNeeded as error:
        return refused(error.detail)
    except Unauthorized:
        return refused("Invalid username or password!")
    holder = await find_by_cookie(request, runtime, "account")
    if holder is not None and holder.identity.account_uuid == found.account:
        assert holder.identity.session is not None
        return answer(
            VertexcloudExistingKey(key=issue(runtime, holder.identity.session, found.account))
        )
    begun = await _begin(request, runtime, found)
    details = VertexcloudKeyDetails(user=begun.user, key=begun.key)
    return _with_cookie(request, runtime, begun, VertexcloudNewKey(details=details))


@dataclass(frozen=True, slots=True)
class _Begun:
    """A new session."""

    login: Login
    session: NewSession
    user: str
    key: str


async def _begin(request: Request, runtime: Runtime, login: Login) -> _Begun:
    session = await logins.open_session(request, runtime, login, client=CLIENT, in_cookie=True)
    token = AccessToken(session.uuid, login.account)
    identity = await runtime.access(token, "account").identity()
    return _Begun(login, session, identity.username, issue(runtime, session.uuid, login.account))


def _with_cookie(request: Request, runtime: Runtime, begun: _Begun, body: BaseModel) -> Response:
    """Answer with the session's cookie, except to another site's page, which may not log in."""
    response = answer(body)
    with suppress(Forbidden):
        cookies.check_origin(request, runtime)
        cookies.keep(request, runtime, response, begun.login, begun.session)
        known_devices.remember(request, runtime, response, begun.login)
    return response


@router.get(
    "/clear/session/",
    operation_id="vertexcloud_clear_session_of",
    response_model=VertexcloudDone | VertexcloudRefusal,
    responses=errors(503, 507),
)
async def clear_session_of(request: Request, runtime: RuntimeDep, key: Key = None) -> Response:
    """End the session of a key in the URL.

    Its key and its cookie stop working.
    """
    return await _clear(request, runtime, key)


@router.post(
    "/clear/session/",
    operation_id="vertexcloud_clear_session",
    response_model=VertexcloudDone | VertexcloudRefusal,
    responses=errors(400, 408, 413, 415, 503, 507),
    openapi_extra=describe_any(VertexcloudKey),
)
async def clear_session(request: Request, runtime: RuntimeDep) -> Response:
    """End a key's session.

    The key and its cookie stop working.
    """
    form = await read_fields(request, VertexcloudKey)
    return await _clear(request, runtime, form.key)


async def _clear(request: Request, runtime: Runtime, key: str | None) -> Response:
    holder = await find_holder(request, runtime, key, "account", _CLEARING)
    await runtime.logins.log_out(holder.access)
    name = holder.identity.username
    message = f"User : {name} sessions has been Flushed and Now logged out."
    return _without_cookie(request, runtime, holder, VertexcloudDone(message=message))


def _without_cookie(
    request: Request, runtime: Runtime, holder: Holder, body: BaseModel
) -> Response:
    """Answer, and delete the cookie if it is that of the ended session."""
    response = answer(body)
    token = cookie_in(request, runtime)
    if token is not None and token.session == holder.identity.session:
        cookies.forget(request, runtime, response)
    return response


@router.get(
    "/delete/user/",
    operation_id="vertexcloud_delete_user_of",
    response_model=VertexcloudDone | VertexcloudRefusal,
    responses=errors(429, 503, 507),
)
async def delete_user_of(
    request: Request,
    runtime: RuntimeDep,
    key: Key = None,
    password: Annotated[str, Query(max_length=1024, description="The account's password.")] = "",
) -> Response:
    """Delete the account of a key in the URL, and everything in it.

    The password is asked for again.
    """
    return await _delete(request, runtime, key, password)


@router.post(
    "/delete/user/",
    operation_id="vertexcloud_delete_user",
    response_model=VertexcloudDone | VertexcloudRefusal,
    responses=_TAKES_LOGINS,
    openapi_extra=describe_any(VertexcloudDeletion),
)
async def delete_user(request: Request, runtime: RuntimeDep) -> Response:
    """Delete a key's account, and everything in it.

    The password is asked for again.
    """
    form = await read_fields(request, VertexcloudDeletion)
    return await _delete(request, runtime, form.key, form.password)


async def _delete(request: Request, runtime: Runtime, key: str | None, password: str) -> Response:
    holder = await find_holder(request, runtime, key, "account", _DELETING)
    try:
        await runtime.accounts.delete_own(holder.access, password)
    except ConfirmationNeeded:
        return refused("This account has a second factor: delete it on its own page")
    except Forbidden:
        return refused("Invalid User Credentials")
    message = "User has been Deleted Successfully and all corresponding sessions has been flushed"
    return _without_cookie(request, runtime, holder, VertexcloudDone(message=message))
