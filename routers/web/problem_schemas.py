"""The schema of problems, and the error responses that routes share."""

from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, Field

from app import errors
from app.errors import ProblemError

MEDIA_TYPE: Final = "application/problem+json"


class ProblemField(BaseModel):
    """One thing wrong with a request."""

    loc: list[str | int] = Field(
        description="Where it is, from the outside in.", examples=[["body", "username"]]
    )
    msg: str = Field(description="What is wrong with it.", examples=["Field required"])


class Problem(BaseModel):
    """An error answer (RFC 9457)."""

    type: str = Field(
        description="A URI that names the kind of problem; `about:blank`: the status says it all.",
        examples=["urn:holdall:problem:not-found"],
    )
    title: str = Field(description="What the kind means.", examples=["Not found"])
    status: int = Field(description="The status code of the answer.", examples=[404])
    detail: str = Field(description="What happened this time.", examples=["Blob not found"])
    instance: str = Field(description="The path of the request.", examples=["/v1/blobs/a"])
    errors: list[ProblemField] | None = Field(
        None, description="What is wrong with the request, where there is a list (422)."
    )


@dataclass(frozen=True, slots=True)
class Answer:
    """An error response of the OpenAPI document: its component's name and description."""

    name: str
    description: str
    headers: dict[str, str]
    kind: type[ProblemError]

    @property
    def described(self) -> dict[str, Any]:
        """The response object of OpenAPI."""
        schema = {"$ref": "#/components/schemas/Problem"}
        described: dict[str, Any] = {
            "description": self.description,
            "content": {MEDIA_TYPE: {"schema": schema, "example": self._example}},
        }
        if self.headers:
            described["headers"] = {
                name: {"description": text, "schema": {"type": "string"}}
                for name, text in self.headers.items()
            }
        return described

    @property
    def _example(self) -> dict[str, Any]:
        problem = Problem(
            type=f"urn:holdall:problem:{self.kind.name}",
            title=self.kind.title,
            status=self.kind.status,
            detail=self.description,
            instance="/v1/blobs/a",
        )
        if self.kind is errors.InvalidRequest:
            problem.errors = [ProblemField(loc=["body", "id"], msg="Field required")]
        return problem.model_dump(exclude_none=True)


def _answer(kind: type[ProblemError], name: str, description: str, **headers: str) -> Answer:
    named = {header.replace("_", "-"): text for header, text in headers.items()}
    return Answer(name, description, named, kind)


_RETRY: Final = "Seconds to wait before trying again."

# our own phrases: those of the standard library differ between versions of Python
ANSWERS: Final = {
    400: _answer(errors.BadRequest, "BadRequest", "The request is malformed"),
    401: _answer(
        errors.Unauthorized,
        "Unauthorized",
        "The credentials are missing or not good",
        WWW_Authenticate="The challenge (RFC 6750).",
    ),
    403: _answer(errors.Forbidden, "Forbidden", "The caller may not do this"),
    404: _answer(errors.NotFound, "NotFound", "It does not exist, or is another account's"),
    408: _answer(errors.RequestTimeout, "RequestTimeout", "The body did not arrive in time"),
    409: _answer(errors.Conflict, "Conflict", "It would collide with what is there"),
    410: _answer(errors.Gone, "Gone", "It is over, and can't go on"),
    412: _answer(errors.PreconditionFailed, "PreconditionFailed", "A precondition does not hold"),
    413: _answer(
        errors.ContentTooLarge,
        "ContentTooLarge",
        "The body is over a limit, or the account over its quota",
    ),
    415: _answer(
        errors.UnsupportedMediaType,
        "UnsupportedMediaType",
        "The content is of no kind that is taken here",
    ),
    416: _answer(
        errors.RangeNotSatisfiable,
        "RangeNotSatisfiable",
        "The range is outside the content",
        Content_Range="How many bytes there are, as `bytes */N`.",
    ),
    422: _answer(errors.InvalidRequest, "InvalidRequest", "The body or a parameter is not valid"),
    423: _answer(errors.Locked, "Locked", "Another request is finishing it", Retry_After=_RETRY),
    429: _answer(
        errors.TooManyRequests, "TooManyRequests", "Too many requests", Retry_After=_RETRY
    ),
    500: _answer(errors.Failed, "InternalError", "The service failed; its log says why"),
    503: _answer(
        errors.ServiceUnavailable,
        "Unavailable",
        "The service can't do this right now",
        Retry_After=_RETRY,
    ),
    507: _answer(errors.InsufficientStorage, "InsufficientStorage", "The storage is full"),
}
"""By status."""
