"""The pages with all about one thing: a file or a bundle with the links to it, or a link."""

from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response

from app.links.bounds import usual_lifetime
from app.links.entities import Wanted
from app.runtime import Runtime
from routers.pages.link_choice import link_choice, within
from routers.pages.rendering.page import PageRoute, SignedIn, Visitor, render_app
from routers.pages.rendering.preview import Preview, glimpse
from routers.pages.sending.send import TIMES
from routers.v1.schemas.bundles import Bundle, Member
from routers.v1.schemas.files import StoredFile
from routers.v1.schemas.timelinks import Timelink
from routers.web.dependencies import RuntimeDep
from routers.web.urls import base_path, file_link, link_url, own_link

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_SHOWN: Final = 100  # links to a thing, or members of a bundle


@router.get("/files/{id}")
async def show_file(
    id: UUID,  # noqa: A002 - in the URL
    request: Request,
    runtime: RuntimeDep,
    visitor: SignedIn,
) -> Response:
    """Show a file, what is in it where a browser shows that, and the links to it."""
    file = await runtime.files.find(visitor.access, str(id))
    shown_at = f"{base_path(request)}/v1/files/{id}/content?inline=1"
    preview = await glimpse(runtime, file.content, file.content_type, shown_at)
    thing = StoredFile.of(file, file_link(request, runtime, file))
    return await _show(request, runtime, visitor, "file", thing, preview=preview)


@router.get("/bundles/{id}")
async def show_bundle(
    id: UUID,  # noqa: A002 - in the URL
    request: Request,
    runtime: RuntimeDep,
    visitor: SignedIn,
) -> Response:
    """Show a bundle, the first of its members, and the links to it."""
    bundle = await runtime.bundles.find(visitor.access, str(id))
    page = await runtime.bundles.page_of_members(visitor.access, str(id), _SHOWN, None)
    members = [Member.of(member) for member in page.items]
    thing = Bundle.of(bundle, own_link(request, runtime, bundle.link))
    return await _show(request, runtime, visitor, "bundle", thing, members=members)


@router.get("/links/{id}")
async def show_link(
    id: UUID,  # noqa: A002 - in the URL
    request: Request,
    runtime: RuntimeDep,
    visitor: SignedIn,
) -> Response:
    """Show a link, ended or not."""
    link = await runtime.links.find(visitor.access, str(id))
    thing = Timelink.of(link, link_url(request, runtime, link.ref))
    return _render(request, visitor, "link", thing)


async def links_to(
    request: Request, runtime: Runtime, visitor: Visitor, kind: str, target_id: str
) -> list[Timelink]:
    """Return the newest active links to a thing."""
    wanted = Wanted(only_active=True, target_type=kind, target_id=target_id)
    page = await runtime.links.page(visitor.access, _SHOWN, None, wanted)
    return [Timelink.of(link, link_url(request, runtime, link.ref)) for link in page.items]


async def _show(
    request: Request,
    runtime: Runtime,
    visitor: Visitor,
    kind: str,
    thing: StoredFile | Bundle,
    *,
    preview: Preview | None = None,
    members: list[Member] | None = None,
) -> Response:
    tier = visitor.identity.tier
    usual = usual_lifetime(tier, runtime.settings.expire_time)
    return _render(
        request,
        visitor,
        kind,
        thing,
        preview=preview,
        members=members,
        links=await links_to(request, runtime, visitor, kind, thing.id),
        times=sorted(within(TIMES, tier.max_lifetime) | {usual}),
        **link_choice(runtime.settings, tier),
    )


def _render(
    request: Request,
    visitor: Visitor,
    kind: str,
    thing: StoredFile | Bundle | Timelink,
    **context: Any,  # noqa: ANN401 - what the template shows
) -> Response:
    given = {"preview": None, "members": None, "links": []} | context
    place = "links" if kind == "link" else "send"
    return render_app(
        request, "details.html", visitor, place=place, kind=kind, thing=thing, **given
    )
