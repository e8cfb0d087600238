"""What pages share: who looks at one, and how it says that something went wrong."""

from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import Depends, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from app.accounts.identity import Access, Identity
from app.errors import ProblemError, Unauthorized
from app.runtime import Runtime
from routers.http.negotiation import is_browser
from routers.pages.rendering.templates import APP_CSP, refuse, render
from routers.web import cookies
from routers.web.dependencies import credential_of, runtime_of
from routers.web.route import HoldallRoute
from routers.web.urls import base_path

_SAFE: Final = frozenset({"GET", "HEAD"})


class PageRoute(HoldallRoute):
    """A route of a page: a browser gets errors as a page, or is asked to sign in first.

    Anything else gets them as JSON: ``{"detail": …}``.
    """

    def answer_problem(self, request: Request, error: ProblemError) -> Response:
        """Make the answer for an error."""
        if not is_browser(request):
            return JSONResponse({"detail": error.detail}, error.status, error.headers)
        if isinstance(error, Unauthorized) and request.method in _SAFE:
            return sign_in_first(request)
        return refuse(request, error)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody signed in: who, and the database as they may use it."""

    access: Access
    identity: Identity
    unseen: int = 0
    """Files that have come by inboxes since they last looked."""


async def visitor_of(runtime: Runtime, access: Access) -> Visitor:
    """Return who looks at a page, given with their access; raises `Unauthorized`."""
    identity, mark = await runtime.inboxes.look(access)
    return Visitor(access, identity, mark.unseen)


async def find_visitor(request: Request) -> Visitor | None:
    """Return who looks at a page that is for everybody; None for a stranger."""
    try:
        return await get_visitor(request)
    except Unauthorized:
        return None


async def get_visitor(request: Request) -> Visitor:
    """Return who looks at a page; raises `Unauthorized` for a stranger."""
    runtime = runtime_of(request)
    access = runtime.access(credential_of(request, runtime), "account")
    return await visitor_of(runtime, access)


SignedIn = Annotated[Visitor, Depends(get_visitor)]


def render_app(
    request: Request,
    template: str,
    visitor: Visitor | None,
    status: int = 200,
    *,
    place: str,
    **context: Any,  # noqa: ANN401 - what the template shows
) -> Response:
    """Return a page in the frame of the app; ``place`` is its entry in the bar."""
    user = None if visitor is None else visitor.identity
    headers = {
        "Cache-Control": "private, no-store",
        "Content-Security-Policy": APP_CSP,
        "Vary": "Accept, Cookie",
    }
    places = request.app.state.places
    return render(
        request,
        template,
        status,
        headers,
        user=user,
        place=place,
        places=places,
        unseen=0 if visitor is None else visitor.unseen,
        **context,
    )


def sign_in_first(request: Request) -> Response:
    """Lead to the page for signing in, and from there back to this one."""
    base = base_path(request)
    here = request.scope["path"].removeprefix(base)
    if request.url.query:
        here += f"?{request.url.query}"
    response = RedirectResponse(f"{base}/account/login?next={quote(here, safe='/')}", 303)
    cookies.forget(request, runtime_of(request), response)
    return response
