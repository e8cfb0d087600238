"""Public links to bundles: the list of their members, each of them, and all as one archive."""

from functools import partial
from typing import Final

from fastapi import Request
from fastapi.responses import Response
from pydantic_core import to_json

from app.bundles.entities import PICTURE, Member
from app.errors import NotFound
from app.links.entities import PublicLink
from app.links.tokens import new_lease
from app.runtime import Runtime
from routers.http.archives import ZIP, send_archive
from routers.http.downloads import DownloadHeaders, send_content
from routers.http.negotiation import wants_page
from routers.http.qr import qr_svg
from routers.pages.public import album, leases
from routers.pages.public.rendering import checksum_of, look_of, render_link
from routers.pages.rendering.preview import glimpse
from routers.v1.schemas.timelinks import PublicMember, PublicSet, PublicTimelink
from routers.web.urls import base_url

_NO_STORE: Final = "no-store"
_ON_PAGE: Final = 200  # members
_LISTED: Final = 1000


def wants_list(request: Request) -> bool:
    """Tell whether a program asks for the list of members, and not for their bytes."""
    return "application/json" in request.headers.get("accept", "")


async def check(runtime: Runtime, link: PublicLink, name: str) -> None:
    """Raise `NotFound` unless there is such a member; no name is that of all."""
    if name:
        await runtime.bundles.shown_member(link, name)


async def send(
    request: Request, runtime: Runtime, link: PublicLink, name: str, *, inline: bool
) -> Response:
    """Answer the bytes of a member, or all members in one archive."""
    if name:
        member = await runtime.bundles.given_member(link, name)
        headers = DownloadHeaders(member.file_name, member.content_type, _NO_STORE)
        return await send_content(request, runtime, member.content, headers, inline=inline)
    archive_name = link.target.name.replace("/", "_") + ".zip"
    headers = DownloadHeaders(archive_name, ZIP, _NO_STORE)
    return await send_archive(request, runtime, partial(runtime.bundles.archive, link), headers)


async def send_thumbnail(
    request: Request, runtime: Runtime, link: PublicLink, name: str, *, large: bool
) -> Response:
    """Answer a thumbnail of a member that points to a picture; else `NotFound`."""
    member = await runtime.bundles.shown_member(link, name)
    if link.is_limited or member.kind != PICTURE or member.target is None:
        raise NotFound
    return await album.send_thumbnail(request, runtime, link, member.target, large=large)


async def describe(
    request: Request,
    runtime: Runtime,
    token: str,
    link: PublicLink,
    name: str,
    cursor: str | None,
) -> Response:
    """Answer with the page of all members or of one, or for a program with the same in JSON."""
    if name:
        return await _describe_member(request, runtime, token, link, name)
    path = leases.path_of(request, token, link)
    if not wants_page(request):
        return await _list(request, runtime, token, link, cursor)
    shown = await runtime.bundles.show(link, _ON_PAGE, cursor)
    members = [
        (member, _member_path(request, token, link, member)) for member in shown.members.items
    ]
    return _render(
        request,
        link,
        action=path,
        name=shown.name,
        note=link.note,
        is_open=shown.is_open,
        size=shown.size,
        count=shown.count,
        members=members,
        tiles=await album.tiles_of(runtime, link, members),
        next_cursor=shown.members.next_cursor,
        qr=await qr_svg(f"{base_url(request, runtime)}/t/{token}"),
        lease=new_lease() if link.is_limited else None,
    )


def ask(request: Request, link: PublicLink, *, wrong: bool) -> Response:
    """Ask for the password of a link; the page tells nothing of what that protects."""
    path: str = request.scope["path"]
    return _render(request, link, 403 if wrong else 200, action=path, name=None, wrong=wrong)


async def _describe_member(
    request: Request, runtime: Runtime, token: str, link: PublicLink, name: str
) -> Response:
    member = await runtime.bundles.given_member(link, name)
    path = _member_path(request, token, link, member)
    if not wants_page(request):
        facts = _public_member(member, path)
        return Response(to_json(facts), media_type="application/json")
    preview = None
    if not link.is_limited:
        shown_at = f"{path}?inline=1"
        preview = await glimpse(runtime, member.content, member.content_type, shown_at)
    return render_link(
        request,
        link,
        "timelink.html",
        sha256=checksum_of(member.content),
        look=look_of("file", member.content_type),
        action=path,
        path=path,
        name=member.name,
        note=None,
        size=member.content.size,
        has_password=False,  # that was asked for
        lease=new_lease() if link.is_limited else None,
        preview=preview,
        wrong=False,
        whole=(link.target.name, leases.path_of(request, token, link)),
    )


async def _list(
    request: Request, runtime: Runtime, token: str, link: PublicLink, cursor: str | None
) -> Response:
    shown = await runtime.bundles.show(link, _LISTED, cursor)
    path = leases.path_of(request, token, link)
    listed = PublicSet(
        **PublicTimelink.of(link, f"{path}?download=1", shown.size).model_dump(),
        is_open=shown.is_open,
        count=shown.count,
        items=[
            _public_member(member, _member_path(request, token, link, member))
            for member in shown.members.items
        ],
        next_cursor=shown.members.next_cursor,
    )
    return Response(to_json(listed), media_type="application/json")


def _public_member(member: Member, path: str) -> PublicMember:
    return PublicMember(
        name=member.name,
        content_type=member.content_type,
        size=member.content.size,
        download=f"{path}?download=1",
    )


def _member_path(request: Request, token: str, link: PublicLink, member: Member) -> str:
    return leases.path_of(request, token, link, member.name)


def _render(request: Request, link: PublicLink, status: int = 200, **context: object) -> Response:
    blank: dict[str, object] = {
        "members": [],
        "tiles": [],
        "next_cursor": None,
        "lease": None,
        "wrong": False,
        "note": None,
    }
    return render_link(
        request,
        link,
        "bundle.html",
        status,
        look=look_of("picture" if context.get("tiles") else "bundle"),
        **blank | context,
    )
