"""Endpoints that are asked for often: their parameters are bound without the framework's machinery.

That takes 50 µs of a request, more than finding a small blob. A direct endpoint is declared and
documented like any other.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar, get_type_hints

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from starlette.responses import Response

E = TypeVar("E", bound=Callable[..., Any])

Bind = Callable[[Request], Awaitable[dict[str, Any]]]
"""Makes the arguments of an endpoint, by name; raises `RequestValidationError`."""

_MARK: Final = "holdall_is_direct"


def direct(endpoint: E) -> E:
    """Ask for an endpoint to be called at once, as a decorator below its route's.

    Its parameters are the request, dependencies that want nothing but the request, parameters of
    the path, and of the query: a request that has a query goes the framework's way. It answers
    with a response. Any other endpoint is refused when its route is made.
    """
    setattr(endpoint, _MARK, True)
    return endpoint


def is_direct(endpoint: Callable[..., Any]) -> bool:
    """Tell whether an endpoint is to be called at once."""
    return getattr(endpoint, _MARK, False)


def binding(dependant: Dependant, endpoint: Callable[..., Any]) -> Bind:
    """Return what makes the arguments of a direct endpoint.

    Raises `TypeError` for an endpoint that needs more than can be made so.
    """
    reads_more = dependant.header_params or dependant.cookie_params or dependant.body_params
    plain = [sub for sub in dependant.dependencies if _is_plain(sub)]
    if reads_more or len(plain) < len(dependant.dependencies) or not _answers_response(endpoint):
        raise TypeError(f"{endpoint.__qualname__} can't be called directly")
    request_name = dependant.request_param_name
    fields = [(field.name, field.alias, field.validate) for field in dependant.path_params]
    defaults = {field.name: field.default for field in dependant.query_params}
    give = guards_of(dependant)

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


def guards_of(dependant: Dependant) -> Bind:
    """Return what calls those dependencies of an endpoint that want nothing but the request."""
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
