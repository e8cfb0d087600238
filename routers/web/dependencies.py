"""The dependencies of routes: the runtime, and the caller's access."""

import base64
from typing import Annotated

from fastapi import Depends, Request
from fastapi.openapi.models import OAuth2 as OAuth2Model
from fastapi.openapi.models import OAuthFlowPassword, OAuthFlows
from fastapi.security.base import SecurityBase

from app.accounts.identity import Access
from app.errors import CredentialNeeded, Unauthorized
from app.runtime import Runtime
from app.security.credentials import Credential
from routers.web import cookies


def runtime_of(request: Request) -> Runtime:
    """Return the runtime of the request's application."""
    runtime: Runtime = request.app.state.runtime
    return runtime


async def get_runtime(request: Request) -> Runtime:
    """Return the runtime as a dependency; the hottest routes save its 10 µs by `runtime_of`."""
    return runtime_of(request)


RuntimeDep = Annotated[Runtime, Depends(get_runtime)]


class Requires(SecurityBase):
    """A dependency that returns the `Access` of a caller with a ``scope``; None: with any.

    The token's form and signature are verified here; whether it is still valid, and has the scope,
    is checked by the handler's own database call.
    """

    def __init__(self, scope: str | None) -> None:
        self.scope = scope
        self.model = OAuth2Model(
            flows=OAuthFlows(password=OAuthFlowPassword(tokenUrl="v1/auth/token", scopes={})),
            description="An access token, an API key (`hk_…`) or the service token.",
        )
        self.scheme_name = "bearer"

    async def __call__(self, request: Request) -> Access:
        runtime = runtime_of(request)
        return runtime.access(credential_of(request, runtime), self.scope)


def credential_of(request: Request, runtime: Runtime) -> Credential:
    """Return the request's credential; raises `Unauthorized` if there is none, or a forged one.

    A header precedes the session cookie, for which `credential_in` may raise `Forbidden`.
    """
    header = request.headers.get("authorization")
    if header is None:
        in_cookie = cookies.credential_in(request, runtime)
        if in_cookie is not None:
            return in_cookie
        raise CredentialNeeded
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthorized(
            "The Authorization header must hold a bearer token", error="invalid_request"
        )
    return runtime.keyring.parse(token.strip())


def basic_password(request: Request) -> str | None:
    """Return the password of Basic credentials (RFC 7617), whatever the user name."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(credentials.strip(), validate=True)
    except ValueError:
        return None
    _, colon, password = decoded.partition(b":")
    return password.decode("utf-8", "replace") if colon else None
