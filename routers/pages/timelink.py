"""What is behind a public link: a page for people, the bytes for programs and for the button."""

import base64
from collections.abc import Awaitable, Callable
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field
from pydantic_core import to_json

from app import clock
from app.errors import PasswordNeeded, ProblemError
from app.links import public as public_links
from app.links.public import PublicLink
from app.runtime import Runtime
from routers.http.downloads import Named, send_content
from routers.http.forms import read_fields
from routers.http.negotiation import is_browser
from routers.pages import leases
from routers.pages.preview import preview_of
from routers.pages.rendering import SCRIPTED_CSP, refuse, render
from routers.v1.schemas.accounts import GivenPassword
from routers.v1.schemas.timelinks import LinkedFacts, time_left
from routers.web.dependencies import RuntimeDep
from routers.web.problems import as_problem
from routers.web.route import HoldallRoute
from routers.web.urls import following

_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}
_REFUSALS: Final = {
    404: ("This link leads nowhere", "It has ended, or it was never there. Ask for a new one."),
    429: ("Too many tries", "Wait a few minutes, then try again."),
}


class LinkRoute(HoldallRoute):
    """A route of public links: a browser gets errors as a page, and nobody keeps them."""

    def answer_problem(self, request: Request, error: ProblemError) -> Response:
        """Make the answer for an error."""
        error.headers.update(_HEADERS)
        if not is_browser(request):
            return as_problem(request, error)
        return refuse(request, error, _REFUSALS.get(error.status))


router = APIRouter(include_in_schema=False, route_class=LinkRoute)


class TakeForm(BaseModel):
    """What the page's button sends: the link's password, and what the lease is to be called."""

    password: GivenPassword | None = None
    lease: Annotated[str, Field(pattern="^[A-Za-z0-9_-]{22}$")] | None = None


@router.head("/t/{token}")
@router.get("/t/{token}")
@router.head("/t/{token}/{name}")
@router.get("/t/{token}/{name}")
async def show(
    token: str,
    request: Request,
    runtime: RuntimeDep,
    *,
    download: bool = False,
    inline: bool = False,
    lease: Annotated[str | None, Query()] = None,
) -> Response:
    """Show what a link leads to, or answer its bytes; a limited link's only by a lease."""

    async def answer(visitor: str) -> Response:
        if lease is not None:
            return await _send_leased(request, runtime, token, lease, inline=inline)
        if download and (held := await leases.held(request, runtime, token)) is not None:
            return leases.lead_to(request, runtime, token, *held)
        link = await runtime.database.read(public_links.find, token, None, clock.now())
        password = _basic_password(request)
        refusal = await _refusal(request, runtime, link, password, visitor)
        if refusal is not None:
            return refusal
        if not (download or (not link.is_limited and (inline or not is_browser(request)))):
            return await _describe(request, runtime, token, link)
        if link.is_limited and request.method == "GET":
            return await _claim(request, runtime, token, public_links.new_lease())
        return await _send(request, runtime, link, inline=inline)

    return await _guarded(request, runtime, answer)


@router.post("/t/{token}")
@router.post("/t/{token}/{name}")
async def take(token: str, request: Request, runtime: RuntimeDep) -> Response:
    """Claim a download, and lead to it by a URL that holds no password."""

    async def answer(visitor: str) -> Response:
        form = TakeForm()
        if "content-type" in request.headers:
            form = await read_fields(request, TakeForm)
        now = clock.now()
        if form.lease is not None:
            held = await runtime.database.read(public_links.find_leased, token, form.lease, now)
            if held is not None:  # the button was pressed again
                return leases.lead_to(request, runtime, token, held, form.lease)
        link = await runtime.database.read(public_links.find, token, None, now)
        password = _basic_password(request) if form.password is None else form.password
        refusal = await _refusal(request, runtime, link, password, visitor)
        if refusal is not None:
            return refusal
        if link.is_plain:
            return leases.see_other(f"{leases.path_of(request, token, link)}?download=1")
        return await _claim(request, runtime, token, form.lease or public_links.new_lease())

    return await _guarded(request, runtime, answer)


async def _claim(request: Request, runtime: Runtime, token: str, lease: str) -> Response:
    link = await runtime.database.write(public_links.claim, token, lease, clock.now())
    return leases.lead_to(request, runtime, token, link, lease)


async def _guarded(
    request: Request, runtime: Runtime, answer: Callable[[str], Awaitable[Response]]
) -> Response:
    """Answer a visitor who has not tried too many links that lead nowhere."""
    async with following(request, runtime) as visitor:
        response = await answer(visitor)
    response.headers.update(_HEADERS)
    return response


async def _refusal(
    request: Request, runtime: Runtime, link: PublicLink, password: str | None, visitor: str
) -> Response | None:
    """Return the page that asks for a link's password; None when none is needed any more.

    Raises `PasswordNeeded` for programs.
    """
    if link.password_hash is None:
        return None
    try:
        await public_links.unlock(link, password, visitor, runtime.passwords, runtime.rate_limits)
    except PasswordNeeded:
        if not is_browser(request):
            raise
        return _page(request, link, wrong=password is not None)
    return None


async def _describe(request: Request, runtime: Runtime, token: str, link: PublicLink) -> Response:
    """Answer with the page, or for a program with the facts that it shows."""
    path = leases.path_of(request, token, link)
    if is_browser(request):
        return _page(request, link, path=path, preview=await preview_of(runtime, link, path))
    facts = LinkedFacts.of(link, f"{path}?download=1", clock.now())
    return Response(to_json(facts), media_type="application/json")


def _page(
    request: Request,
    link: PublicLink,
    *,
    path: str = "",
    wrong: bool = False,
    preview: object = None,
) -> Response:
    """Render the page; of what a password protects it tells nothing."""
    is_protected = link.password_hash is not None
    left = time_left(link.expires_at, clock.now())
    return render(
        request,
        "timelink.html",
        403 if wrong else 200,
        {"Content-Security-Policy": SCRIPTED_CSP},
        action=_path(request),
        path=path,
        name=None if is_protected else link.file_name,
        size=link.target.content.size,
        expires_at=None if link.expires_at is None else _iso(link.expires_at),
        time_left=left,
        downloads_left=link.downloads_left,
        has_password=is_protected,
        lease=None if link.is_plain else public_links.new_lease(),
        preview=preview,
        wrong=wrong,
    )


async def _send_leased(
    request: Request, runtime: Runtime, token: str, lease: str, *, inline: bool
) -> Response:
    """Answer the bytes of a download that was claimed; the first that are given make it count."""
    link = await runtime.database.read(public_links.find, token, lease, clock.now())
    response = await _send(request, runtime, link, inline=inline)
    if link.has_begun or request.method != "GET" or response.status_code not in {200, 206}:
        return response
    return leases.Download(response, runtime, link, lease)


async def _send(request: Request, runtime: Runtime, link: PublicLink, *, inline: bool) -> Response:
    named = Named(link.file_name, link.target.content_type, _HEADERS["Cache-Control"])
    return await send_content(request, runtime, link.target.content, named, inline=inline)


def _iso(moment: int) -> str:
    return clock.to_datetime(moment).strftime("%Y-%m-%dT%H:%M:%SZ")


def _path(request: Request) -> str:
    path: str = request.scope["path"]
    return path


def _basic_password(request: Request) -> str | None:
    """Return the password of Basic credentials (RFC 7617), with whichever user name."""
    scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(credentials.strip(), validate=True)
    except ValueError:
        return None
    _, colon, password = decoded.partition(b":")
    return password.decode("utf-8", "replace") if colon else None
