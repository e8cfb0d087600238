"""Downloads that count: claimed, and redirected to the URL of their lease."""

import hashlib
import re
import time
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

NOTED_EVERY: Final = 3600.0
"""Seconds after which a download under way is noted, which nobody takes for given up then."""

_COOKIE: Final = "holdall_lease"
_PART: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+)", re.ASCII)
_FROM_THE_START: Final = re.compile(r"\s*bytes\s*=\s*0+\s*-", re.ASCII)


def path_of(request: Request, token: str, link: PublicLink, member: str = "") -> str:
    """Return the path of a link, ending with a file name for clients that take it from there.

    Of a link to a set of things: that of a ``member`` by its name, or of all.
    """
    path = f"{base_path(request)}/t/{token}"
    name = member if link.is_to_set else link.file_name
    return path if name in {"", ".", ".."} else f"{path}/{quote(name, safe='/' if member else '')}"


def secret_of(lease: str, member: str) -> str:
    """Return the lease of one member of a set, or of the whole for no name.

    Each is claimed by itself; what is claimed of the whole covers all members.
    """
    if not member:
        return lease
    return f"{lease}.{hashlib.sha256(member.encode('utf-8', 'surrogatepass')).hexdigest()[:32]}"


async def find(
    runtime: Runtime, token: str, lease: str, member: str
) -> tuple[PublicLink, str] | None:
    """Return the link that a lease has been claimed of, and its secret; None if it isn't valid."""
    for secret in dict.fromkeys((lease, secret_of(lease, member))):
        link = await runtime.links.find_leased(token, secret)
        if link is not None:
            return link, secret
    return None


async def held(
    request: Request, runtime: Runtime, token: str, member: str
) -> tuple[PublicLink, str] | None:
    """Return the link and the lease of a download that a request continues; None for a new one.

    Some download managers ask the link's own URL for each further part, and are recognised by a
    cookie. A request for the beginning is a new download, cookie or not.
    """
    part, lease = request.headers.get("range"), request.cookies.get(_COOKIE)
    if part is None or lease is None or _FROM_THE_START.match(part):
        return None
    found = await find(runtime, token, lease, member)
    return None if found is None else (found[0], lease)


def see_other(location: str) -> Response:
    """Redirect to another URL."""
    return Response(status_code=303, headers={"Location": location})


def redirect_to_lease(
    request: Request,
    runtime: Runtime,
    token: str,
    link: PublicLink,
    lease: str,
    member: str = "",
) -> Response:
    """Redirect to a lease's URL, in words too for programs that follow no redirects."""
    place = path_of(request, token, link, member)
    path = f"{place}?lease={lease}"
    response = see_other(path)
    if request.method == "GET":
        base = base_url(request, runtime)
        text = f"The download is at {urljoin(base, path)}\nFollow redirects to get it (curl -L).\n"
        response = Response(text, 303, {"Location": path}, "text/plain")
        response.set_cookie(
            _COOKIE,
            lease,
            path=place if link.is_to_set else f"{base_path(request)}/t/{token}",
            secure=base.startswith("https://"),
            httponly=True,
            samesite="lax",
        )
    return response


class Download(Response):
    """The response to a lease, which begins its download before the first byte is sent.

    Where the link's target goes with the last download, what has been sent is noted at its end.
    """

    def __init__(
        self,
        content: Response,
        links: Links,
        link: PublicLink,
        lease: str,
        *,
        is_part: bool = False,
    ) -> None:
        """``is_part`` says that the lease is for more than this content."""
        self.status_code = content.status_code
        self.raw_headers = content.raw_headers
        self.background = None
        self._content = content
        self._links = links
        self._link = link
        self._lease = lease
        self._is_part = is_part

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        has_begun, sent = self._link.has_begun, 0
        due = time.monotonic() + NOTED_EVERY

        async def count(message: Message) -> None:
            nonlocal has_begun, sent
            if message["type"] == "http.response.start" and not has_begun:
                await self._links.begin(self._link, self._lease)
                has_begun = True
            await send(message)
            sent += size_of(message)
            if time.monotonic() > due:
                await note()

        async def note() -> None:
            nonlocal due
            due = time.monotonic() + NOTED_EVERY
            if self._link.ends_target and has_begun:
                span, size = self._span()
                whole = None if self._is_part else size
                await self._links.note_response(self._link, self._lease, span, sent, whole)

        try:
            await self._content(scope, receive, count)
        finally:
            await run_to_end(note())

    def _span(self) -> tuple[Span, int]:
        """Return which bytes were asked for, and how many there are in all."""
        part = _PART.fullmatch(self.headers.get("content-range", ""))
        if part is None:
            size = int(self.headers["content-length"])
            return (0, size), size
        return (int(part[1]), int(part[2]) + 1), int(part[3])
