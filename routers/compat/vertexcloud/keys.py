"""VertexCloud's keys, each derived from a session, and the form of its answers."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Final, Self

from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel

from app.accounts.identity import Access, Identity
from app.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    ProblemError,
    Unauthorized,
)
from app.runtime import Runtime
from app.security.credentials import AccessToken
from routers.compat.vertexcloud.schemas import VertexcloudRefusal
from routers.web import cookies
from routers.web.openapi import errors_as
from routers.web.route import HoldallRoute

PURPOSE: Final = "vertexcloud keys"

_HEADERS: Final = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
"""Headers of every answer, since keys are in bodies and URLs."""

errors = partial(errors_as, VertexcloudRefusal)


def answer(body: BaseModel, status: int = 200) -> Response:
    """Answer with a body in the contract's form."""
    text = body.model_dump_json(by_alias=True, exclude_none=True)
    return Response(text, status, _HEADERS, media_type="application/json")


def refused(message: str, **more: str | bool) -> Response:
    """Answer a refusal, which has status 200 in this contract."""
    return answer(VertexcloudRefusal.model_validate({"message": message} | more))


class VertexcloudRoute(HoldallRoute):
    """A route whose errors are ``{"status": false, "message": …}``."""

    answers_head: ClassVar = False
    """Other methods are 405 in this contract, whose GETs delete files and accounts."""

    answered_with_200: ClassVar = frozenset(
        kind.status for kind in (Unauthorized, Forbidden, NotFound, Conflict, InvalidRequest)
    )

    def answer_problem(self, request: Request, error: ProblemError) -> Response:
        """Make the answer for an error."""
        del request
        is_usual = error.status in self.answered_with_200
        response = answer(
            VertexcloudRefusal(message=_message(error)), 200 if is_usual else error.status
        )
        if not is_usual:
            response.headers.update(error.headers)
        return response


class MediaRoute(VertexcloudRoute):
    """A route for bytes, whose errors keep their status."""

    answered_with_200: ClassVar = frozenset[int]()


def _message(error: ProblemError) -> str:
    if error.errors and error.detail == error.title:
        return ". ".join(f"{wrong['loc'][-1]}: {wrong['msg']}" for wrong in error.errors)
    return error.detail


@dataclass(frozen=True, slots=True)
class Holder:
    """The holder of a valid key."""

    access: Access
    identity: Identity

    def is_same_account(self, other: "Holder") -> bool:
        return self.identity.account_id == other.identity.account_id


@dataclass(frozen=True, slots=True)
class Messages:
    """An endpoint's messages for keys that don't work."""

    missing: str
    """Neither a key nor a session's cookie was sent."""
    unknown: str
    gone: str
    """The key's account no longer exists."""
    keyless: str | None = None
    """A session's cookie was sent, but no key; None: as ``unknown``."""

    @classmethod
    def same(cls, message: str) -> Self:
        """Make the same message for all of them."""
        return cls(message, message, message)


def issue(runtime: Runtime, session: str, account: str) -> str:
    """Return the key of a session; it never changes."""
    return runtime.keyring.issue_session_key(session, account, purpose=PURPOSE)


async def find_holder(
    request: Request, runtime: Runtime, key: str | None, scope: str, messages: Messages
) -> Holder:
    """Return the holder of a key; raises `Unauthorized` with the endpoint's message."""
    if not key:
        if cookie_in(request, runtime) is None:
            raise Unauthorized(messages.missing)
        raise Unauthorized(messages.keyless or messages.unknown)
    try:
        token = runtime.keyring.parse_session_key(key, purpose=PURPOSE)
    except Unauthorized:
        raise Unauthorized(messages.unknown) from None
    holder = await _find(runtime, token, scope)
    if holder is None:
        is_there = await runtime.accounts.is_there(token.account)
        raise Unauthorized(messages.unknown if is_there else messages.gone)
    return holder


async def find_by_cookie(request: Request, runtime: Runtime, scope: str) -> Holder | None:
    """Return the holder of the cookie's session, if it is valid."""
    token = cookie_in(request, runtime)
    return None if token is None else await _find(runtime, token, scope)


async def _find(runtime: Runtime, token: AccessToken, scope: str) -> Holder | None:
    access = runtime.access(token, scope)
    try:
        return Holder(access, await access.identity())
    except Unauthorized:
        return None


def cookie_in(request: Request, runtime: Runtime) -> AccessToken | None:
    """Return the session's cookie, unless another site's page caused the request."""
    try:
        return cookies.credential_in(request, runtime)
    except (Unauthorized, Forbidden):
        return None
