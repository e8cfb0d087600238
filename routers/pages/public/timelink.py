"""Public links: a page for people, the bytes for programs and for the page's button."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field
from pydantic_core import to_json

from app.bundles.entities import PICTURE
from app.errors import NotFound, PasswordNeeded
from app.links.entities import PublicLink
from app.links.tokens import new_lease
from app.runtime import Runtime
from routers.http.downloads import DownloadHeaders, send_content
from routers.http.forms.reading import read_fields
from routers.http.negotiation import is_browser, wants_page
from routers.http.qr import qr_svg
from routers.http.resumable import tus
from routers.pages.public import album, bundle, inbox, inbox_uploads, leases, unlocking
from routers.pages.public.rendering import checksum_of, look_of, render_link
from routers.pages.public.visiting import HEADERS, LinkRoute, guarded
from routers.pages.rendering.preview import preview_of
from routers.v1.schemas.accounts.accounts import GivenPassword
from routers.v1.schemas.lists import CursorParam
from routers.v1.schemas.timelinks import PublicTimelink
from routers.web.dependencies import RuntimeDep, basic_password
from routers.web.urls import base_url

router = APIRouter(include_in_schema=False, route_class=LinkRoute)


class DownloadForm(BaseModel):
    """The form of the page's button: the link's password, and the lease to be claimed."""

    password: GivenPassword | None = None
    lease: Annotated[str, Field(pattern="^[A-Za-z0-9_-]{22}$")] | None = None


@router.head("/t/{token}")
@router.get("/t/{token}")
@router.head("/t/{token}/{name:path}")
@router.get("/t/{token}/{name:path}")
async def show(
    token: str,
    request: Request,
    runtime: RuntimeDep,
    *,
    download: bool = False,
    inline: bool = False,
    thumbnail: bool = False,
    large: bool = False,
    lease: Annotated[str | None, Query()] = None,
    cursor: CursorParam = None,
) -> Response:
    """Show a link's page, or answer its bytes; those of a limited link only by a lease."""
    name = _name(request)
    if tus.is_spoken(request.headers):
        return await inbox_uploads.speak(request, runtime, token, name)

    async def answer(visitor: str) -> Response:
        held = await leases.held(request, runtime, token, name) if download else None
        if held is not None:
            return leases.redirect_to_lease(request, runtime, token, *held, name)
        try:
            link = await runtime.links.open(token)
        except NotFound:
            return await inbox.show(request, runtime, token, visitor)
        password = basic_password(request)
        refusal = await _refusal(request, runtime, link, password, visitor)
        if refusal is not None:
            return refusal
        if not _is_wanted(request, link, download=download, bytes_suit=inline or thumbnail):
            return await _describe(request, runtime, token, link, cursor)
        if link.is_limited and request.method == "GET":
            return await _claim(request, runtime, token, link)
        send = partial(_send_thumbnail, large=large) if thumbnail else partial(_send, inline=inline)
        return await send(request, runtime, link)

    async def answer_leased(_visitor: str) -> Response:
        assert lease is not None
        return await _send_leased(request, runtime, token, lease, inline=inline)

    return await guarded(request, runtime, answer if lease is None else answer_leased)


def _is_wanted(request: Request, link: PublicLink, *, download: bool, bytes_suit: bool) -> bool:
    """Tell whether bytes are to be answered, and not what there is to know of them."""
    is_shown = wants_page(request) or (link.is_to_set and bundle.wants_list(request))
    return download or (not link.is_limited and (bytes_suit or not is_shown))


@router.post("/t/{token}")
@router.post("/t/{token}/{name:path}")
async def take(token: str, request: Request, runtime: RuntimeDep) -> Response:
    """Claim a download, and redirect to its URL, which holds no password."""
    name = _name(request)
    if tus.is_spoken(request.headers):
        return await inbox_uploads.speak(request, runtime, token, name)

    async def answer(visitor: str) -> Response:
        opened = await runtime.inboxes.find_open(token)
        if opened is not None:
            return await inbox.take(request, runtime, token, opened, visitor)
        form = DownloadForm()
        if "content-type" in request.headers:
            form = await read_fields(request, DownloadForm)
        if form.lease is not None:
            held = await leases.find(runtime, token, form.lease, name)
            if held is not None:  # the button was pressed twice
                return leases.redirect_to_lease(request, runtime, token, held[0], form.lease, name)
        link = await runtime.links.open(token)
        password = basic_password(request) if form.password is None else form.password
        refusal = await _refusal(request, runtime, link, password, visitor)
        if refusal is not None:
            return refusal
        has_page = link.is_to_set or (link.note and link.password_hash)
        if has_page and form.lease is None and is_browser(request):
            return unlocking.unlocked(request, runtime, token, link, name)
        if link.is_plain:
            return leases.see_other(f"{leases.path_of(request, token, link, name)}?download=1")
        return await _claim(request, runtime, token, link, form.lease)

    return await guarded(request, runtime, answer)


async def _claim(
    request: Request, runtime: Runtime, token: str, link: PublicLink, lease: str | None = None
) -> Response:
    lease, member = lease or new_lease(), ""
    if link.is_to_set:
        member = _name(request)
        await bundle.check(runtime, link, member)
    await runtime.links.claim(token, leases.secret_of(lease, member))
    return leases.redirect_to_lease(request, runtime, token, link, lease, member)


async def _refusal(
    request: Request, runtime: Runtime, link: PublicLink, password: str | None, visitor: str
) -> Response | None:
    """Return the page that asks for the link's password; None once it is unlocked.

    Raises `PasswordNeeded` for programs.
    """
    _check_name(request, link)
    if unlocking.is_unlocked(request, runtime, link):
        return None
    try:
        await runtime.links.unlock(link, password, visitor)
    except PasswordNeeded:
        if not wants_page(request):
            raise
        ask = bundle.ask if link.is_to_set else _page
        return ask(request, link, wrong=password is not None)
    return None


async def _describe(
    request: Request, runtime: Runtime, token: str, link: PublicLink, cursor: str | None
) -> Response:
    """Answer with the page, or for a program with what it shows in JSON."""
    if link.is_to_set:
        name = _name(request)
        return await bundle.describe(request, runtime, token, link, name, cursor)
    path = leases.path_of(request, token, link)
    if wants_page(request):
        return _page(
            request,
            link,
            path=path,
            preview=await preview_of(runtime, link, path),
            qr=await qr_svg(f"{base_url(request, runtime)}/t/{token}"),
            is_unlocked=True,
        )
    described = PublicTimelink.of(link, f"{path}?download=1")
    return Response(to_json(described), media_type="application/json")


def _page(
    request: Request,
    link: PublicLink,
    *,
    path: str = "",
    wrong: bool = False,
    preview: object = None,
    qr: object = None,
    is_unlocked: bool = False,
) -> Response:
    """Render the page; it tells nothing of what a password protects.

    One who knows the password claims a download right away, unless there is a note to be read.
    """
    is_protected = link.password_hash is not None and not is_unlocked
    content = link.content
    opens_page = is_protected and link.note is not None
    return render_link(
        request,
        link,
        "timelink.html",
        403 if wrong else 200,
        action=_path(request),
        path=path,
        name=None if is_protected else link.file_name,
        note=None if is_protected else link.note,
        size=content.size,
        has_password=is_protected,
        lease=None if link.is_plain or opens_page else new_lease(),
        preview=preview,
        qr=qr,
        sha256=None if is_protected else checksum_of(content),
        wrong=wrong,
        whole=None,
        look=look_of(link.target_type, link.target.content_type),
    )


async def _send_leased(
    request: Request, runtime: Runtime, token: str, lease: str, *, inline: bool
) -> Response:
    """Answer the bytes of a claimed download, which counts once the first are sent."""
    found = await leases.find(runtime, token, lease, _name(request))
    if found is None:
        await runtime.links.open(token, lease)  # says why
        raise NotFound
    link, secret = found
    _check_name(request, link)
    response = await _send(request, runtime, link, inline=inline)
    is_counted = not link.has_begun or link.ends_target
    if not is_counted or request.method != "GET" or response.status_code not in {200, 206}:
        return response
    is_part = link.is_to_set and secret == lease and _name(request) != ""
    return leases.Download(response, runtime.links, link, secret, is_part=is_part)


async def _send_thumbnail(
    request: Request, runtime: Runtime, link: PublicLink, *, large: bool
) -> Response:
    if link.is_to_set:
        return await bundle.send_thumbnail(request, runtime, link, _name(request), large=large)
    if link.target_type != PICTURE or link.is_limited:
        raise NotFound
    return await album.send_thumbnail(request, runtime, link, link.target.public_id, large=large)


async def _send(request: Request, runtime: Runtime, link: PublicLink, *, inline: bool) -> Response:
    if link.is_to_set:
        return await bundle.send(request, runtime, link, _name(request), inline=inline)
    headers = DownloadHeaders(link.file_name, link.target.content_type, HEADERS["Cache-Control"])
    return await send_content(request, runtime, link.content, headers, inline=inline)


def _name(request: Request) -> str:
    """Return what follows the token: the name of a member, or for most links any."""
    name: str = request.path_params.get("name", "")
    return name.rstrip("/")


def _check_name(request: Request, link: PublicLink) -> None:
    """Raise `NotFound` for a path after the token, which only what is in a set can have."""
    if not link.is_to_set and "/" in _name(request):
        raise NotFound


def _path(request: Request) -> str:
    path: str = request.scope["path"]
    return path
