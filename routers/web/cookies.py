"""The session cookie, which other sites can't use."""

from typing import Final
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.responses import Response

from app.accounts.entities import Login, NewSession
from app.errors import Forbidden
from app.runtime import Runtime
from app.security.credentials import AccessToken
from routers.web.urls import base_path, base_url

NAME: Final = "holdall_session"
_OF_HOST: Final = "__Host-"  # browsers take it from https and for all paths only (RFC 6265bis)
_PURPOSE: Final = "session cookies"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def keep(
    request: Request, runtime: Runtime, response: Response, login: Login, session: NewSession
) -> None:
    """Set the cookie of a session."""
    key = runtime.keyring.issue_session_key(session.uuid, login.account, purpose=_PURPOSE)
    put(request, runtime, response, NAME, key, seconds=session.lifetime)


def put(
    request: Request, runtime: Runtime, response: Response, name: str, value: str, *, seconds: int
) -> None:
    """Set a cookie that scripts and other sites' requests can't use."""
    response.set_cookie(
        _named(request, runtime, name),
        value,
        max_age=seconds,
        path=_path(request),
        secure=_is_https(request, runtime),
        httponly=True,
        samesite="lax",
    )


def get(request: Request, runtime: Runtime, name: str) -> str | None:
    """Return the value of a cookie that was set by `put`."""
    return request.cookies.get(_named(request, runtime, name))


def _named(request: Request, runtime: Runtime, name: str) -> str:
    """Return a cookie's name, prefixed if possible, so that no other host can set it."""
    is_of_host = _is_https(request, runtime) and _path(request) == "/"
    return f"{_OF_HOST}{name}" if is_of_host else name


def forget(request: Request, runtime: Runtime, response: Response) -> None:
    """Delete the session cookie."""
    response.delete_cookie(
        _named(request, runtime, NAME),
        path=_path(request),
        secure=_is_https(request, runtime),
        httponly=True,
        samesite="lax",
    )


def credential_in(request: Request, runtime: Runtime) -> AccessToken | None:
    """Return the credential of the cookie, if there is one.

    Raises `Unauthorized` for a forged one, and `Forbidden` for a changing request from another
    site.
    """
    key = get(request, runtime, NAME)
    if key is None:
        return None
    check_origin(request, runtime)
    return runtime.keyring.parse_session_key(key, purpose=_PURPOSE)


def check_origin(request: Request, runtime: Runtime) -> None:
    """Raise `Forbidden` for a changing request from another site's page.

    Browsers say where a request comes from. Programs that send neither header are not made to send
    their cookies by somebody else.
    """
    if request.method in _SAFE:
        return
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        foreign = site not in {"same-origin", "none"}  # none: by the user, as when sharing
    else:
        origin = request.headers.get("origin")
        foreign = origin is not None and origin != _origin(base_url(request, runtime))
    if foreign:
        raise Forbidden("This request came from another site's page")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _path(request: Request) -> str:
    return f"{base_path(request)}/"


def _is_https(request: Request, runtime: Runtime) -> bool:
    return base_url(request, runtime).startswith("https://")
