"""Routes whose bodies are small forms and JSON that the framework reads: bounded, in our form."""

from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from routers.transfer.incoming import read_small

LIMIT: Final = 64 * 1024  # bytes


class BoundedRoute(APIRoute):
    """A route that reads a body of up to `LIMIT` bytes before anything else looks at it.

    A larger one is answered 413 as a problem, and a client that stalls 408; the framework's own
    bound answers plain text, and it has no patience to end.
    """

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        handle = super().get_route_handler()

        async def read_and_handle(request: Request) -> Response:
            request._body = await read_small(request, LIMIT)
            return await handle(request)

        return read_and_handle
