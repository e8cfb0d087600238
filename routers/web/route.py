"""The class of every route: strangers are refused first, bodies are bounded, errors have a form."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from app.accounts.identity import Access
from app.errors import MethodNotAllowed, ProblemError
from routers.http.bodies import read_small
from routers.http.negotiation import is_browser
from routers.pages.rendering import refuse
from routers.web.direct import binding, guards_of, is_direct
from routers.web.problems import as_problem

LIMIT: Final = 64 * 1024
"""Bytes of a body that is read whole, unless its reader names another limit."""


class BoundedRequest(Request):
    """A request whose body, read in any of the framework's ways, has up to `LIMIT` bytes.

    Readers of more (`routers.http.bodies`) have limits of their own.
    """

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Yield the body; raises `ContentTooLarge`, `RequestTimeout` and `ClientDisconnected`."""
        if not hasattr(self, "_body"):
            self._body = await read_small(self, LIMIT)
        yield self._body


class HoldallRoute(APIRoute):
    """A route that reads a body only for those who may send it, and only a bounded one.

    A subclass answers errors in another form than problems: a page's, an upstream contract's.
    """

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401 - the framework's
        super().__init__(path, endpoint, **options)
        if is_direct(endpoint):
            self._general, self.app = self.app, self._answer_directly
            self._bind = binding(self.dependant, endpoint)

    def answer_problem(self, request: Request, error: ProblemError) -> Response:
        """Make the answer for an error, headers included; invalid fields are in its ``errors``."""
        if isinstance(error, MethodNotAllowed) and is_browser(request):
            return refuse(request, error)  # an address that somebody has typed
        return as_problem(request, error)

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """Return what answers: the framework's handler, once it can't be harmed by a body."""
        handle = super().get_route_handler()
        guards = guards_of(self.dependant) if self.body_field is not None else None

        async def guard_and_handle(request: Request) -> Response:
            request = BoundedRequest(request.scope, request.receive, request._send)
            if guards is not None:  # the framework asks who sends a body once it has read that
                for given in (await guards(request)).values():
                    if isinstance(given, Access):
                        await given.check()
                await request.body()
            return await handle(request)

        return guard_and_handle

    async def _answer_directly(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["query_string"] and self.dependant.query_params:
            await self._general(scope, receive, send)
            return
        request = BoundedRequest(scope, receive, send)
        response = await self.endpoint(**await self._bind(request))
        await response(scope, receive, send)


def routes_of(router: APIRouter) -> list[BaseRoute]:
    """Return a router's routes; raises `TypeError` for one that `HoldallRoute` doesn't guard."""
    for route in router.routes:
        if not isinstance(route, HoldallRoute):
            raise TypeError(f"the route {getattr(route, 'path', route)} is no HoldallRoute")
    return list(router.routes)
