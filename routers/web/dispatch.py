"""Dispatch: the route of a request is looked up by the first segments of its path.

The framework tries all routes in turn, which costs the last ones 30 µs. Among the candidates the
declared order counts. A path is served with or without a slash at its end, and for HEAD wherever
it is for GET (RFC 9110 §9.3.2).
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

_DEPTH: Final = 2  # segments that select the candidates


class Dispatcher:
    """The innermost application: passes a request to the first route that matches."""

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        """Index the routes; raises `TypeError` for mounts and the like."""
        self._routes = [route for route in routes if isinstance(route, Route)]
        if len(self._routes) != len(routes):
            raise TypeError("the application may have routes only")
        self._allow = ", ".join(
            sorted({"OPTIONS", *(m for r in self._routes for m in r.methods or ())})
        )
        ranked: dict[tuple[str, ...], list[tuple[int, Route]]] = {}
        for rank, route in enumerate(self._routes):
            ranked.setdefault(_head(route.path), []).append((rank, route))
        self._by_head: dict[tuple[str, ...], list[Route]] = {}
        for head in ranked:  # a route may match a path if its own head is no longer, and the same
            shorter = (ranked.get(head[:n], []) for n in range(len(head) + 1))
            self._by_head[head] = [route for _, route in sorted(chain.from_iterable(shorter))]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"].removeprefix(scope.get("root_path", ""))
        if path == "*" and scope["method"] == "OPTIONS":  # the server's (RFC 9110 §9.3.7)
            await Response(status_code=204, headers={"Allow": self._allow})(scope, receive, send)
            return
        route, parameters = self._find(path, scope["method"])
        if path != "/" and (route is None or not _takes(route, scope["method"])):
            other = path.removesuffix("/") if path.endswith("/") else f"{path}/"
            found, others = self._find(other, scope["method"])
            if route is None or (found is not None and _takes(found, scope["method"])):
                path, route, parameters = other, found, others
        if route is None:
            raise HTTPException(404)
        scope["route"], scope["endpoint"] = route, route.endpoint
        scope["path_params"] = parameters
        if not _takes(route, scope["method"]):
            raise HTTPException(405, headers={"Allow": ", ".join(self._methods(path))})
        await route.app(scope, receive, send)

    def _find(self, path: str, method: str) -> tuple[Route | None, dict[str, Any]]:
        """Return the route of a request, or else one of its path for other methods."""
        found, parameters = self._first(path, method)
        if method == "HEAD" and found is not None and not _takes(found, "HEAD"):
            return self._first(path, "GET")
        return found, parameters

    def _first(self, path: str, method: str) -> tuple[Route | None, dict[str, Any]]:
        found: Route | None = None
        parameters: dict[str, Any] = {}
        for route in self._candidates(path):
            takes = not route.methods or method in route.methods
            if found is not None and not takes:
                continue
            match = route.path_regex.match(path)
            if match is None:
                continue
            convert = route.param_convertors
            parameters = {name: convert[name].convert(x) for name, x in match.groupdict().items()}
            found = route
            if takes:
                break
        return found, parameters

    def _methods(self, path: str) -> list[str]:
        """Return the methods of all routes of a path."""
        matching = [route for route in self._candidates(path) if route.path_regex.match(path)]
        methods = {method for route in matching for method in route.methods or ()}
        return sorted(methods | {"HEAD" for route in matching if _takes(route, "HEAD")})

    def _candidates(self, path: str) -> Sequence[Route]:
        head = tuple(path.strip("/").split("/", _DEPTH)[:_DEPTH])
        return next((self._by_head[h] for h in (head, head[:1], ()) if h in self._by_head), ())


def _takes(route: Route, method: str) -> bool:
    """Tell whether a route answers a method: a HEAD as its GET, unless it says otherwise."""
    methods = route.methods or {method}
    by_get = method == "HEAD" and "GET" in methods and getattr(route, "answers_head", True)
    return method in methods or by_get


def _head(path: str) -> tuple[str, ...]:
    """Return the first segments of a route's path, up to the first parameter."""
    head: list[str] = []
    for segment in path.strip("/").split("/")[:_DEPTH]:
        if "{" in segment:
            break
        head.append(segment)
    return tuple(head)
