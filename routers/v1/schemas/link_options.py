"""What a link allows, asks for and says, as whoever makes one sends it."""

from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field

from app.links.entities import MAX_DOWNLOADS, MAX_NOTE
from routers.v1.schemas.fields import NOT_BOOLEAN, Text

MAX_PASSWORD: Final = 128


def storable(value: str) -> str:
    """Return a text that every database can hold; raises `ValueError` for others."""
    if "\0" in value or any("\ud800" <= c <= "\udfff" for c in value):
        raise ValueError("A text can't hold null characters or lone surrogates")
    return value


MaxDownloads = Annotated[
    int,
    Field(
        ge=1,
        le=MAX_DOWNLOADS,
        description="The number of downloads that the link allows. Default: the tier's.",
        examples=[3],
    ),
    NOT_BOOLEAN,
]
LinkPassword = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_PASSWORD,
        description="Asked for before a download.",
        json_schema_extra={"format": "password"},
    ),
    AfterValidator(storable),
]
Note = Annotated[
    Text,
    Field(
        min_length=1,
        max_length=MAX_NOTE,
        description="Shown to whoever opens the link.",
        examples=["The photos of Sunday"],
    ),
]
ORIGINALS: Final[Any] = Field(
    description="Whether visitors get pictures with all that is in their files, such as the camera "
    "and the place. Otherwise that is left out, and the rest is as it was uploaded.",
    examples=[False],
)
