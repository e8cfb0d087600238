"""Visits of public links: errors are pages for browsers, and misses are counted."""

from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import Request
from fastapi.responses import Response

from app.errors import ProblemError
from app.runtime import Runtime
from routers.http.negotiation import is_browser
from routers.http.resumable import tus
from routers.pages.rendering.templates import refuse
from routers.v1.uploads import by_tus
from routers.web.forwarded import address_of
from routers.web.problems import as_problem
from routers.web.route import HoldallRoute

HEADERS: Final = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}
"""What every answer has."""

_REFUSALS: Final = {
    404: ("This link doesn't work", "It has expired, or it never existed. Ask for a new one."),
    429: ("Too many attempts", "Wait a few minutes, then try again."),
}


class LinkRoute(HoldallRoute):
    """A route of public links: errors are pages for browsers, and are never cached."""

    def answer_problem(self, request: Request, error: ProblemError) -> Response:
        """Return the answer to an error."""
        error.headers.update(HEADERS)
        if tus.is_spoken(request.headers):
            return by_tus.refuse(request, error)
        if not is_browser(request):
            return as_problem(request, error)
        return refuse(request, error, _REFUSALS.get(error.status))


async def guarded(
    request: Request, runtime: Runtime, answer: Callable[[str], Awaitable[Response]]
) -> Response:
    """Answer a visitor, unless too many of their visits have found no link."""
    visitor = address_of(request)
    async with runtime.links.visit(visitor):
        response = await answer(visitor)
    response.headers.update(HEADERS)
    return response
