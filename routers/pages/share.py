"""What a device's share sheet sends to the installed app: files to be sent, a text for the buffer.

The manifest names this route and its fields (W3C Web Share Target).
"""

from contextlib import AsyncExitStack, aclosing
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from app.accounts.identity import Access
from app.buffer.entities import NewClip
from app.errors import InvalidRequest, Unauthorized
from app.files import expiry as file_ends
from app.objects.lifecycle import Received
from app.objects.preconditions import Preconditions
from app.objects.uploads import Body
from app.runtime import Runtime
from routers.http.forms import check_fields
from routers.http.multipart import read_parts
from routers.http.negotiation import is_browser
from routers.pages.account import login_form
from routers.pages.page import PageRoute, get_visitor
from routers.v1.files import UNNAMED, commit_all, receive
from routers.v1.schemas.files import FileFields
from routers.web.dependencies import RuntimeDep
from routers.web.urls import base_path

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_LARGEST_TEXT: Final = 256 * 1024  # bytes
_TEXTS: Final = frozenset({"title", "text", "url"})


@router.post("/share")
async def share(request: Request, runtime: RuntimeDep) -> Response:
    """Take what was shared, and lead to where it can be seen.

    Files become sent files, each with its link. A text goes into the buffer, unless files came
    too: then it is what an app says of them.
    """
    try:
        visitor = await get_visitor(request)
    except Unauthorized:
        if not is_browser(request):
            raise
        first = Unauthorized("Sign in first, then share it again")
        return await login_form(request, runtime, first, next="/file/load")
    place = await _take(request, runtime, visitor.access)
    return RedirectResponse(f"{base_path(request)}{place}", 303)


async def _take(request: Request, runtime: Runtime, access: Access) -> str:
    """Store what comes, all of it once it is here; returns the page that shows it."""
    texts: dict[str, str] = {}
    sent: list[tuple[FileFields, str, Received]] = []
    async with AsyncExitStack() as stack:
        parts = await stack.enter_async_context(aclosing(read_parts(request)))
        async for part in parts:
            if part.name in _TEXTS and part.filename is None:
                texts[part.name] = (await part.text(_LARGEST_TEXT)).strip()
            elif part.name == "file" and part.filename != "":
                # nobody can be asked which others may go
                named = {"name": part.filename or UNNAMED, "evict": file_ends.NONE}
                fields = check_fields(FileFields, named)
                received = await stack.enter_async_context(receive(runtime, access, fields, part))
                sent.append((fields, part.content_type, received))
        if sent:
            await commit_all(runtime, access, sent)
            return "/file/load"
    await _fill_buffer(runtime, access, _shared_text(texts))
    return "/file/buffer"


def _shared_text(texts: dict[str, str]) -> str:
    """Return the text that was meant: apps put an address in either field, or in both.

    The title is what an app says of it, so it counts only where it is all there is.
    """
    text, url = texts.get("text", ""), texts.get("url", "")
    if url and url not in text:
        text = f"{text}\n{url}" if text else url
    text = text or texts.get("title", "")
    if not text:
        raise InvalidRequest("Nothing was shared")
    return text


async def _fill_buffer(runtime: Runtime, access: Access, text: str) -> None:
    new = NewClip("text", None, "text/plain; charset=utf-8")
    await runtime.buffer.put(access, new, Body.of(text.encode()), Preconditions())
