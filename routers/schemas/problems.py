"""The form of an error."""

from pydantic import BaseModel


class ProblemField(BaseModel):
    """One thing wrong with a request."""

    loc: list[str | int]
    msg: str


class Problem(BaseModel):
    """An error answer (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[ProblemField] | None = None
