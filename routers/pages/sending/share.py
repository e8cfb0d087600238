"""The target of a device's share sheet: files are sent, a text goes into the buffer.

The manifest names this route and its fields (W3C Web Share Target).
"""

from collections.abc import AsyncGenerator
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel

from app.accounts.identity import Access
from app.buffer.entities import DataType, NewClip
from app.errors import InvalidRequest, Unauthorized
from app.files.entities import NONE, NewFile
from app.objects.preconditions import Preconditions
from app.objects.uploads import Body
from app.runtime import Runtime
from routers.http.forms.reading import open_form
from routers.http.headers import media_type
from routers.http.negotiation import is_browser
from routers.pages.account.account import login_form
from routers.pages.rendering.page import PageRoute, get_visitor
from routers.v1.forms.files import checked_name
from routers.web.dependencies import RuntimeDep
from routers.web.urls import base_path

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_LARGEST_TEXT: Final = 256 * 1024  # bytes


class SharedFields(BaseModel):
    """The texts that are shared."""

    title: str = ""
    text: str = ""
    url: str = ""

    def shared_text(self) -> str:
        """Return the text that was meant: apps put an address in either field, or in both.

        The title is what an app says of it, so it counts only if there is nothing else.
        """
        title, text, url = self.title.strip(), self.text.strip(), self.url.strip()
        if url and url not in text:
            text = f"{text}\n{url}" if text else url
        text = text or title
        if not text:
            raise InvalidRequest("Nothing was shared")
        return text


@router.post("/share")
async def share(request: Request, runtime: RuntimeDep) -> Response:
    """Store what was shared, and redirect to the page that shows it.

    Files are sent, each with its link. A text goes into the buffer, unless files came with it:
    then it only describes them.
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
    """Store what is shared, all or nothing; returns the path of the page that shows it."""
    async with open_form(request, access, SharedFields, max_field=_LARGEST_TEXT) as form:

        async def sent() -> AsyncGenerator[tuple[NewFile, Body], None]:
            async for file in form.files():
                content_type = media_type(file.content_type)
                # nobody can be asked which others may be evicted
                yield NewFile(checked_name(file.name), content_type, evict=NONE), file.body

        if await runtime.files.create_all(access, sent()):
            return "/file/load"
        await _fill_buffer(runtime, access, form.fields_so_far().shared_text())
        return "/file/buffer"


async def _fill_buffer(runtime: Runtime, access: Access, text: str) -> None:
    new = NewClip(DataType.TEXT, None, "text/plain; charset=utf-8")
    await runtime.buffer.put(access, new, Body.of(text.encode()), Preconditions())
