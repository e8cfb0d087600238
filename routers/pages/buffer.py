"""The page of the buffer: what is in it, on every device at once, and a way to put in more."""

from typing import Final

from fastapi import Request
from fastapi.responses import Response

from app import clock
from app.accounts.identity import Access
from app.buffer import rows as buffer
from app.errors import NotFound
from app.runtime import Runtime
from routers.pages.page import Visitor, render_app
from routers.pages.preview import glimpse
from routers.v1.schemas.buffer import BufferFacts
from routers.web.urls import base_path

_LONGEST: Final = 256 * 1024  # bytes of a text that are shown


async def show(request: Request, runtime: Runtime, access: Access) -> Response:
    """Show the buffer; a script puts what changes into its place."""
    visitor = Visitor(access, await access.identity())
    facts, preview = None, None
    try:
        found = await access.read(buffer.find, clock.now())
    except NotFound:
        pass
    else:
        facts = BufferFacts.of(found)
        # the version makes it another URL to browsers, whose caches would show the image before
        url = f"{base_path(request)}/v1/buffer?inline=1&version={facts.version}"
        preview = await glimpse(runtime, found.content, found.content_type, url, longest=_LONGEST)
    return render_app(
        request,
        "buffer.html",
        visitor,
        place="buffer",
        facts=facts,
        preview=preview,
        now=clock.to_datetime(clock.now()),
    )
