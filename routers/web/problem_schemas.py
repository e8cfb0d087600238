"""The schema of problems, and the error responses that routes share."""

from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, Field

MEDIA_TYPE: Final = "application/problem+json"


class ProblemField(BaseModel):
    """One thing wrong with a request."""

    loc: list[str | int] = Field(
        description="Where it is, from the outside in.", examples=[["body", "username"]]
    )
    msg: str = Field(description="What is wrong with it.")


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

    @property
    def described(self) -> dict[str, Any]:
        """The response object of OpenAPI."""
        described: dict[str, Any] = {
            "description": self.description,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        if self.headers:
            described["headers"] = {
                name: {"description": text, "schema": {"type": "string"}}
                for name, text in self.headers.items()
            }
        return described


def _answer(name: str, description: str, **headers: str) -> Answer:
    return Answer(name, description, {n.replace("_", "-"): text for n, text in headers.items()})


_RETRY: Final = "Seconds to wait before trying again."

# our own phrases: those of the standard library differ between versions of Python
ANSWERS: Final = {
    400: _answer("BadRequest", "The request is malformed"),
    401: _answer(
        "Unauthorized",
        "The credentials are missing or not good",
        WWW_Authenticate="The challenge (RFC 6750).",
    ),
    403: _answer("Forbidden", "The caller may not do this"),
    404: _answer("NotFound", "It does not exist, or is another account's"),
    408: _answer("RequestTimeout", "The body did not arrive in time"),
    409: _answer("Conflict", "It would collide with what is there"),
    412: _answer("PreconditionFailed", "A precondition does not hold"),
    413: _answer("ContentTooLarge", "The body is over a limit, or the account over its quota"),
    415: _answer("UnsupportedMediaType", "The content is of no kind that is taken here"),
    416: _answer(
        "RangeNotSatisfiable",
        "The range is outside the content",
        Content_Range="How many bytes there are, as `bytes */N`.",
    ),
    422: _answer("InvalidRequest", "The body or a parameter is not valid"),
    429: _answer("TooManyRequests", "Too many requests", Retry_After=_RETRY),
    500: _answer("InternalError", "The service failed; its log says why"),
    503: _answer("Unavailable", "The service can't do this right now", Retry_After=_RETRY),
    507: _answer("InsufficientStorage", "The storage is full"),
}
"""By status."""
