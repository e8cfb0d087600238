"""Downloads that are counted: claimed, and led to by the URL of their lease."""

import re
from typing import Final
from urllib.parse import quote, urljoin

from fastapi import Request
from fastapi.responses import Response
from starlette.types import Message, Receive, Scope, Send

from app import clock
from app.links import public as public_links
from app.links.public import PublicLink
from app.runtime import Runtime
from routers.web.urls import base_path, base_url

_COOKIE: Final = "holdall_lease"
_FROM_THE_START: Final = re.compile(r"\s*bytes\s*=\s*0+\s*-", re.ASCII)


def path_of(request: Request, token: str, link: PublicLink) -> str:
    """Return the path of a link that ends with a name, for clients that call files by URLs."""
    path = f"{base_path(request)}/t/{token}"
    name = link.file_name
    return path if name in {"", ".", ".."} else f"{path}/{quote(name, safe='')}"


async def held(request: Request, runtime: Runtime, token: str) -> tuple[PublicLink, str] | None:
    """Return the link and the lease of the download that a request goes on with, if there is one.

    Some download managers ask the link's own URL for each further part. They are known by a cookie;
    whoever asks for the beginning wants a download of its own, cookie or not.
    """
    part, lease = request.headers.get("range"), request.cookies.get(_COOKIE)
    if part is None or lease is None or _FROM_THE_START.match(part):
        return None
    link = await runtime.database.read(public_links.find_leased, token, lease, clock.now())
    return None if link is None else (link, lease)


def see_other(location: str) -> Response:
    """Lead to another URL."""
    return Response(status_code=303, headers={"Location": location})


def lead_to(
    request: Request, runtime: Runtime, token: str, link: PublicLink, lease: str
) -> Response:
    """Lead to a lease's URL; programs that follow nowhere are told of it, others remember it."""
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
    """The answer to a lease, which makes its claim a download before the first byte is sent."""

    def __init__(self, content: Response, runtime: Runtime, link: PublicLink, lease: str) -> None:
        self.status_code = content.status_code
        self.raw_headers = content.raw_headers
        self.background = None
        self._content = content
        self._runtime = runtime
        self._link = link
        self._lease = lease

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def begin(message: Message) -> None:
            if message["type"] == "http.response.start":
                await self._runtime.database.write(
                    public_links.begin, self._link, self._lease, clock.now()
                )
            await send(message)

        await self._content(scope, receive, begin)
