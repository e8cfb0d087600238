"""The page of the buffer: what it holds, live on every device, and forms to fill it."""

from typing import Final

from fastapi import Request
from fastapi.responses import Response

from app.accounts.identity import Access
from app.errors import NotFound
from app.runtime import Runtime
from routers.pages.page import Visitor, render_app
from routers.pages.preview import glimpse
from routers.v1.schemas.buffer import BufferContent
from routers.web.urls import base_path

_LONGEST: Final = 256 * 1024  # bytes of a text that are shown


async def show(request: Request, runtime: Runtime, access: Access) -> Response:
    """Show the buffer; a script shows its changes."""
    visitor = Visitor(access, await access.identity())
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
    return render_app(
        request,
        "buffer.html",
        visitor,
        place="buffer",
        buffer=buffer,
        preview=preview,
    )
