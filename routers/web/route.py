"""The class of every route: it authenticates before it reads a body, bounds it, renders errors.

Endpoints that are called often can be direct: their parameters are bound without the framework's
machinery, which takes 50 µs of a request, more than finding a small blob. A direct endpoint is
declared and documented like any other.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, ClassVar, Final, TypeVar, get_type_hints

from fastapi import APIRouter, Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from app.accounts.identity import Access
from app.errors import MethodNotAllowed, ProblemError
from routers.http.bodies import read_small
from routers.http.negotiation import is_browser
from routers.web.problems import as_page, as_problem

LIMIT: Final = 64 * 1024
"""Bytes of a body that is read whole, unless its reader has another limit."""

E = TypeVar("E", bound=Callable[..., Any])

Bind = Callable[[Request], Awaitable[dict[str, Any]]]
"""Makes the arguments of an endpoint, by name; raises `RequestValidationError`."""

_MARK: Final = "holdall_is_direct"


def direct(endpoint: E) -> E:
    """Mark an endpoint as direct, as a decorator below its route's.

    Its parameters may be the request, dependencies on nothing but the request, and parameters of
    the path and of the query; a request with a query is bound by the framework. It must return a
    response. Any other endpoint is refused when its route is made.
    """
    setattr(endpoint, _MARK, True)
    return endpoint


class BoundedRequest(Request):
    """A request whose body the framework can read up to `LIMIT` bytes.

    Readers of larger bodies (`routers.http.bodies`) have limits of their own.
    """

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Yield the body; raises `ContentTooLarge`, `RequestTimeout` and `ClientDisconnected`."""
        if not hasattr(self, "_body"):
            self._body = await read_small(self, LIMIT)
        yield self._body


class HoldallRoute(APIRoute):
    """A route that reads a body only from authorised callers, and only up to a limit.

    A subclass renders errors in another form than problems: as pages, or as an upstream contract's.
    """

    answers_head: ClassVar = True
    """Whether a GET's route answers HEAD, too."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:  # noqa: ANN401 - the framework's
        super().__init__(path, endpoint, **options)
        self.app = AsyncExitStackMiddleware(self.app)  # the framework's handlers register there
        if getattr(endpoint, _MARK, False):
            self._general, self.app = self.app, self._answer_directly
            self._bind = _binding(self.dependant, endpoint)

    def answer_problem(self, request: Request, error: ProblemError) -> Response:
        """Return the response for an error, headers included; its ``errors`` are invalid fields."""
        if isinstance(error, MethodNotAllowed) and is_browser(request):
            return as_page(request, error)  # a typed address
        return as_problem(request, error)

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """Return the framework's handler, guarded against unauthorised and large bodies."""
        handle = super().get_route_handler()
        guards = _guards_of(self.dependant) if self.body_field is not None else None

        async def guard_and_handle(request: Request) -> Response:
            request = BoundedRequest(request.scope, request.receive, request._send)
            if guards is not None:  # the framework resolves dependencies after reading the body
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
    """Return a router's routes; raises `TypeError` if one isn't a `HoldallRoute`."""
    for route in router.routes:
        if not isinstance(route, HoldallRoute):
            raise TypeError(f"the route {getattr(route, 'path', route)} is no HoldallRoute")
    return list(router.routes)


def _binding(dependant: Dependant, endpoint: Callable[..., Any]) -> Bind:
    """Return the function that makes the arguments of a direct endpoint.

    Raises `TypeError` for an endpoint that can't be direct.
    """
    reads_more = dependant.header_params or dependant.cookie_params or dependant.body_params
    plain = [sub for sub in dependant.dependencies if _is_plain(sub)]
    if reads_more or len(plain) < len(dependant.dependencies) or not _answers_response(endpoint):
        raise TypeError(f"{endpoint.__qualname__} can't be called directly")
    request_name = dependant.request_param_name
    fields = [(field.name, field.alias, field.validate) for field in dependant.path_params]
    defaults = {field.name: field.default for field in dependant.query_params}
    give = _guards_of(dependant)

    async def bind(request: Request) -> dict[str, Any]:
        arguments = defaults | await give(request)
        if request_name is not None:
            arguments[request_name] = request
        errors: list[Any] = []
        for name, alias, validate in fields:
            value, wrong = validate(request.path_params[alias], loc=("path", alias))
            arguments[name] = value
            errors += wrong
        if errors:
            raise RequestValidationError(errors)
        return arguments

    return bind


def _guards_of(dependant: Dependant) -> Bind:
    """Return the function that calls the dependencies which need nothing but the request."""
    subs = [
        (sub.name or "", sub.call, sub.request_param_name)
        for sub in dependant.dependencies
        if sub.call is not None and _is_plain(sub)
    ]

    async def give(request: Request) -> dict[str, Any]:
        return {
            name: await (call(**{parameter: request}) if parameter else call())
            for name, call, parameter in subs
        }

    return give


def _is_plain(sub: Dependant) -> bool:
    reads = sub.path_params or sub.query_params or sub.header_params or sub.cookie_params
    return not (sub.dependencies or reads or sub.body_params)


def _answers_response(endpoint: Callable[..., Any]) -> bool:
    answer = get_type_hints(endpoint).get("return")
    return isinstance(answer, type) and issubclass(answer, Response)
