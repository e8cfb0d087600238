"""Parameters and schema of a page of a list."""

from typing import Annotated, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from app.database.pagination import DEFAULT_LIMIT, MAX_LIMIT

T = TypeVar("T")

Limit = Annotated[
    int, Query(alias="limit", ge=1, le=MAX_LIMIT, description="The maximum number of items.")
]
CursorParam = Annotated[
    str | None,
    Query(alias="cursor", max_length=4096, description="The `next_cursor` of the previous page."),
]


class ListOf(BaseModel, Generic[T]):
    """A page of a list; subclass it to give it a name in OpenAPI."""

    items: list[T]
    next_cursor: str | None = Field(description="The cursor of the next page; null on the last.")


__all__ = ["DEFAULT_LIMIT", "CursorParam", "Limit", "ListOf"]
