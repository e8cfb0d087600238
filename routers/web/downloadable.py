"""Routes of downloads: one endpoint for GET and HEAD, declared once."""

from collections.abc import Callable
from typing import Any, TypeVar

from fastapi import APIRouter
from fastapi.responses import Response

from routers.web.openapi import binary_answer
from routers.web.problems import problems

E = TypeVar("E", bound=Callable[..., Any])

Declare = Callable[..., dict[int | str, dict[str, Any]]]
"""Makes the ``responses`` of error statuses, as `problems` does."""


def downloadable(
    router: APIRouter,
    path: str,
    *,
    get: str,
    head: str,
    answer: Callable[[], dict[int | str, dict[str, Any]]] = binary_answer,
    errors: Declare = problems,
    statuses: tuple[int, ...] = (401, 403, 404, 412, 422, 503),
) -> Callable[[E], E]:
    """Register an endpoint for GET and HEAD of a path, with these operation ids.

    ``answer`` declares the bytes. ``statuses`` are the errors of both; a GET may also be for a
    range that there is not.
    """

    def register(endpoint: E) -> E:
        responses = answer() | errors(*sorted((*statuses, 416)))
        router.get(path, operation_id=get, response_class=Response, responses=responses)(endpoint)
        router.head(path, operation_id=head, response_class=Response, responses=errors(*statuses))(
            endpoint
        )
        return endpoint

    return register
