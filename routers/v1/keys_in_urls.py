"""API keys in URLs, of clients that can send no headers of ours."""

from typing import Annotated

from fastapi import Query, Request

from app.accounts.identity import Access
from app.errors import Unauthorized
from app.security.credentials import ApiKey, Credential
from routers.web.dependencies import credential_of, runtime_of

KeyParam = Annotated[
    str | None,
    Query(description="An API key; give it the one scope that this needs, and no other."),
]


def credential_in(request: Request, key: str | None) -> Credential:
    """Return the credential of a header as elsewhere, or else the API key of a URL.

    Raises `Unauthorized`; what opens more than an API key has no place in a URL.
    """
    runtime = runtime_of(request)
    if key is None or "authorization" in request.headers:
        return credential_of(request, runtime)
    credential = runtime.keyring.parse(key)
    if not isinstance(credential, ApiKey):
        raise Unauthorized("The key is no API key", error="invalid_token")
    return credential


class RequiresKey:
    """A dependency that returns the `Access` of a caller with a scope, who may send ``?key=``."""

    def __init__(self, scope: str) -> None:
        self.scope = scope

    async def __call__(self, request: Request, key: KeyParam = None) -> Access:
        return runtime_of(request).access(credential_in(request, key), self.scope)
