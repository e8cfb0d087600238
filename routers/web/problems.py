"""Errors as responses: the one place where exceptions become problems (RFC 9457)."""

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.database import DatabaseFull, DatabaseUnavailable
from app.errors import (
    BadRequest,
    Failed,
    FieldError,
    InsufficientStorage,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    ProblemError,
    ServiceUnavailable,
)
from routers.http.forms.reading import field_errors
from routers.http.negotiation import is_browser
from storage.errors import StoreFull, StoreUnavailable

MEDIA_TYPE: Final = "application/problem+json"

AnswerProblem = Callable[[Request, ProblemError], Response]
"""Makes the response for an error; a route may have its own."""

log = structlog.get_logger(__name__)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Declare a route's own error responses, for its ``responses``.

    What every route of its sort may answer (401, 422, 503, …) is added to the document.
    """
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: schema}}
        for status in statuses
    }


class Rendering:
    """The middleware that answers the exceptions of routes; all others it passes on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except Exception as error:
            response = _answer_to(Request(scope, receive), error)
            if response is None:
                raise
            await response(scope, receive, send)  # which fails if another one has begun


def _answer_to(request: Request, error: Exception) -> Response | None:
    if isinstance(error, HTTPException):
        return _of_framework(request, error)
    problem = _problem_of(error)
    return None if problem is None else render(request, problem)


def _problem_of(error: Exception) -> ProblemError | None:
    problem: ProblemError | None = None
    match error:
        case ProblemError():
            problem = error
        case RequestValidationError():
            problem = invalid(error)
        case StoreFull() | DatabaseFull():
            log.error("no storage left", error=str(error))
            problem = InsufficientStorage()
        case StoreUnavailable() | DatabaseUnavailable():
            # no traceback: in an outage every request ends here
            log.error("a backend is unavailable", error=repr(error), cause=repr(error.__cause__))
            problem = ServiceUnavailable()
        case MemoryError():
            log.error("out of memory", error=repr(error))
            problem = ServiceUnavailable("There is not enough memory for this right now")
    return problem


def invalid(error: RequestValidationError) -> InvalidRequest:
    """Return the framework's validation error as one of ours."""
    return InvalidRequest(errors=field_errors(error.errors()))


def _of_framework(request: Request, error: HTTPException) -> Response:
    """Render the framework's own errors: no such route, method not allowed."""
    title = HTTPStatus(error.status_code).phrase
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.BAD_REQUEST:
        return render(request, BadRequest(str(error.detail), headers=headers))
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return render(request, MethodNotAllowed(headers=headers))
    if is_browser(request) and error.status_code == HTTPStatus.NOT_FOUND:
        return as_page(request, NotFound(headers=headers))
    return problem_response(
        request,
        kind="about:blank",
        title=title,
        status=error.status_code,
        detail=str(error.detail or title),
        headers=headers,
    )


def failed(request: Request, request_id: str) -> Response:
    """Return the response for an unexpected exception."""
    error = Failed(request_id)
    return as_page(request, error) if is_browser(request) else as_problem(request, error)


def render(request: Request, error: ProblemError) -> Response:
    """Return the response for a problem, in the form of its route."""
    answer: AnswerProblem = getattr(request.scope.get("route"), "answer_problem", as_problem)
    return answer(request, error)


def as_page(request: Request, error: ProblemError) -> Response:
    """Return the response for a problem as a page, for browsers."""
    error_page: AnswerProblem = request.app.state.error_page
    return error_page(request, error)


def as_problem(request: Request, error: ProblemError) -> Response:
    """Return the response for a problem in the form of RFC 9457."""
    return problem_response(
        request,
        kind=error.type,
        title=error.title,
        status=error.status,
        detail=error.detail,
        headers=error.headers,
        errors=error.errors,
        members=error.members,
    )


def problem_response(
    request: Request,
    *,
    kind: str,
    title: str,
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
    errors: list[FieldError] | None = None,
    members: Mapping[str, Any] | None = None,
) -> Response:
    body: dict[str, Any] = {
        "type": kind,
        "title": title,
        "status": status,
        "detail": detail,
        "instance": request.scope["path"],
        **(members or {}),
    }
    if errors:
        body["errors"] = errors
    response = Response(json.dumps(body), status, media_type=MEDIA_TYPE)
    response.headers.update(headers or {})
    return response
