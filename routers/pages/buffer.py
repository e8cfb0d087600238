"""The page of the buffer: what it holds, live on every device, and forms to fill it."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel

from app.accounts.identity import Access
from app.buffer import entities
from app.errors import NotFound
from app.runtime import Runtime
from routers.http.forms.reading import read_fields
from routers.pages.rendering.page import PageRoute, SignedIn, render_app, visitor_of
from routers.pages.rendering.preview import Preview, glimpse
from routers.v1.schemas.buffer import BufferContent, PastClip
from routers.web.dependencies import RuntimeDep
from routers.web.urls import base_path

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_LONGEST: Final = 256 * 1024  # bytes of a text that are shown
_GLIMPSE: Final = 300  # of one that was in it before


@dataclass(frozen=True, slots=True)
class Past:
    """What was in the buffer, as its history shows it."""

    clip: PastClip
    preview: Preview | None
    url: str


class PastForm(BaseModel):
    """What is to become of something that was in the buffer."""

    act: Literal["restore", "delete"]


async def show(request: Request, runtime: Runtime, access: Access) -> Response:
    """Show the buffer; a script shows its changes."""
    visitor = await visitor_of(runtime, access)
    buffer, preview = None, None
    try:
        clip = await runtime.buffer.find(access)
    except NotFound:
        pass
    else:
        buffer = BufferContent.of(clip)
        # the version is for caches of browsers, which would show the image before
        url = f"{base_path(request)}/v1/buffer?inline=1&version={buffer.version}"
        preview = await glimpse(runtime, clip.content, clip.content_type, url, longest=_LONGEST)
    history = await runtime.buffer.history(access)
    return render_app(
        request,
        "buffer.html",
        visitor,
        place="buffer",
        buffer=buffer,
        preview=preview,
        history=[await _shown(request, runtime, past) for past in history],
    )


@router.post("/buffer/history/{id}")
async def change_history(
    id: UUID,  # noqa: A002 - in the URL
    request: Request,
    runtime: RuntimeDep,
    visitor: SignedIn,
) -> Response:
    """Bring back what was in the buffer, or delete it; then show the buffer."""
    form = await read_fields(request, PastForm)
    with suppress(NotFound):  # it has expired, or somebody was faster: the page shows it
        if form.act == "restore":
            await runtime.buffer.bring_back(visitor.access, str(id))
        else:
            await runtime.buffer.remove_past(visitor.access, str(id))
    return RedirectResponse(f"{base_path(request)}/file/buffer", 303)


async def _shown(request: Request, runtime: Runtime, past: entities.PastClip) -> Past:
    url = f"{base_path(request)}/v1/buffer/history/{past.uuid}/content"
    try:
        preview = await glimpse(
            runtime, past.content, past.content_type, f"{url}?inline=1", longest=_GLIMPSE
        )
    except NotFound:  # it has just been deleted
        preview = None
    return Past(PastClip.of(past), preview, url)
