"""Downloads that count: claimed, and redirected to the URL of their lease."""

import re
from typing import Final
from urllib.parse import quote, urljoin

from fastapi import Request
from fastapi.responses import Response
from starlette.types import Message, Receive, Scope, Send

from app.links.entities import PublicLink
from app.links.spans import Span
from app.links.use_cases import Links
from app.runtime import Runtime
from routers.connection.exchanges import size_of
from routers.web.urls import base_path, base_url
from storage.completion import run_to_end

_COOKIE: Final = "holdall_lease"
_PART: Final = re.compile(r"bytes (\d+)-(\d+)/\d+", re.ASCII)
_FROM_THE_START: Final = re.compile(r"\s*bytes\s*=\s*0+\s*-", re.ASCII)


def path_of(request: Request, token: str, link: PublicLink) -> str:
    """Return the path of a link, ending with a file name for clients that take it from there."""
    path = f"{base_path(request)}/t/{token}"
    name = link.file_name
    return path if name in {"", ".", ".."} else f"{path}/{quote(name, safe='')}"


async def held(request: Request, runtime: Runtime, token: str) -> tuple[PublicLink, str] | None:
    """Return the link and the lease of a download that a request continues; None for a new one.

    Some download managers ask the link's own URL for each further part, and are recognised by a
    cookie. A request for the beginning is a new download, cookie or not.
    """
    part, lease = request.headers.get("range"), request.cookies.get(_COOKIE)
    if part is None or lease is None or _FROM_THE_START.match(part):
        return None
    link = await runtime.links.find_leased(token, lease)
    return None if link is None else (link, lease)


def see_other(location: str) -> Response:
    """Redirect to another URL."""
    return Response(status_code=303, headers={"Location": location})


def redirect_to_lease(
    request: Request, runtime: Runtime, token: str, link: PublicLink, lease: str
) -> Response:
    """Redirect to a lease's URL, in words too for programs that follow no redirects."""
    path = f"{path_of(request, token, link)}?lease={lease}"
    response = see_other(path)
    if request.method == "GET":
        base = base_url(request, runtime)
        text = f"The download is at {urljoin(base, path)}\nFollow redirects to get it (curl -L).\n"
        response = Response(text, 303, {"Location": path}, "text/plain")
        response.set_cookie(
            _COOKIE,
            lease,
            path=f"{base_path(request)}/t/{token}",
            secure=base.startswith("https://"),
            httponly=True,
            samesite="lax",
        )
    return response


class Download(Response):
    """The response to a lease, which begins its download before the first byte is sent.

    Where the link's target goes with the last download, what has been sent is noted at its end.
    """

    def __init__(self, content: Response, links: Links, link: PublicLink, lease: str) -> None:
        self.status_code = content.status_code
        self.raw_headers = content.raw_headers
        self.background = None
        self._content = content
        self._links = links
        self._link = link
        self._lease = lease

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun, sent = self._link.has_begun, 0

        async def count(message: Message) -> None:
            nonlocal has_begun, sent
            if message["type"] == "http.response.start" and not has_begun:
                await self._links.begin(self._link, self._lease)
                has_begun = True
            await send(message)
            sent += size_of(message)

        try:
            await self._content(scope, receive, count)
        finally:
            if self._link.ends_target and has_begun:
                noting = self._links.note_response(self._link, self._lease, self._span(), sent)
                await run_to_end(noting)

    def _span(self) -> Span:
        part = _PART.fullmatch(self.headers.get("content-range", ""))
        if part is None:
            return 0, int(self.headers["content-length"])
        return int(part[1]), int(part[2]) + 1
