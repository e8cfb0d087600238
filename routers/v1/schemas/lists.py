"""Parameters and schema of a page of a list."""

from typing import Annotated, Final, Generic, TypeVar

from fastapi import Query
from pydantic import BaseModel, Field

from app.database.pagination import DEFAULT_LIMIT, MAX_LIMIT, SORTED
from routers.v1.schemas.fields import Text

T = TypeVar("T")

Limit = Annotated[
    int, Query(alias="limit", ge=1, le=MAX_LIMIT, description="The maximum number of items.")
]
CursorParam = Annotated[
    str | None,
    Query(alias="cursor", max_length=4096, description="The `next_cursor` of the previous page."),
]

NameParam = Annotated[
    Text,
    Query(
        alias="q",
        max_length=255,
        description="Only those whose names contain it, ignoring case. A page that takes too long "
        "to fill ends early, with a cursor.",
    ),
]


SORTED_NOTE: Final = f"Their order. Any but `newest` is of the newest {SORTED:,} alone"


class ListOf(BaseModel, Generic[T]):
    """A page of a list; subclass it to give it a name in OpenAPI."""

    items: list[T]
    next_cursor: str | None = Field(description="The cursor of the next page; null on the last.")


__all__ = ["DEFAULT_LIMIT", "SORTED_NOTE", "CursorParam", "Limit", "ListOf", "NameParam"]
