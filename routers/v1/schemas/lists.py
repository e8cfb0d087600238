"""What all lists have in common: how a page is asked for, and its form."""

from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from app.database.pagination import DEFAULT_LIMIT, MAX_LIMIT

T = TypeVar("T")

Limit = Annotated[
    int, Query(alias="limit", ge=1, le=MAX_LIMIT, description="How many items to answer at most.")
]
CursorParam = Annotated[
    str | None,
    Query(alias="cursor", max_length=4096, description="The `next_cursor` of the page before."),
]


class ListOf(BaseModel, Generic[T]):
    """A page of a list; subclass it, so that OpenAPI has a name for it."""

    items: list[T]
    next_cursor: str | None = Field(description="Ask for the next page with it; null on the last.")


__all__ = ["DEFAULT_LIMIT", "CursorParam", "Limit", "ListOf"]
