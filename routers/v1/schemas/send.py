"""What may be said of a file that is sent from a raw body, in the query or in headers."""

from typing import Annotated, Final

from pydantic import BaseModel, Field

from app.files.entities import MAX_LIFETIME
from app.links.entities import MAX_DOWNLOADS
from routers.v1.schemas.files import ExpiresIn
from routers.v1.schemas.link_options import MaxDownloads, Note

_DAY: Final = 86_400  # seconds
_MOST_DAYS: Final = MAX_LIFETIME // _DAY

MaxDays = Annotated[int, Field(ge=1, le=_MOST_DAYS, examples=[7])]


class SendQuery(BaseModel):
    """What may be in the query."""

    expires_in: Annotated[
        ExpiresIn | None, Field(description="Seconds that the file lives; 0 keeps it.")
    ] = None
    max_days: Annotated[
        MaxDays | None, Field(description="Days that it lives, if `expires_in` doesn't say it.")
    ] = None
    max_downloads: Annotated[
        MaxDownloads | None, Field(description="After how many downloads it goes.")
    ] = None
    note: Annotated[Note | None, Field(description="Shown to whoever opens its link.")] = None


class SendHeaders(BaseModel):
    """What may be in headers; the query precedes it."""

    # a header can't say null
    max_days: Annotated[
        int,
        Field(
            alias="Max-Days",
            ge=0,
            le=_MOST_DAYS,
            description="Days that the file lives; 0: as usual.",
            examples=[7],
        ),
    ] = 0
    max_downloads: Annotated[
        int,
        Field(
            alias="Max-Downloads",
            ge=0,
            le=MAX_DOWNLOADS,
            description="After how many downloads the file goes; 0: as usual.",
            examples=[3],
        ),
    ] = 0
    link_password: Annotated[
        str | None, Field(alias="Link-Password", description="Asked for before a download.")
    ] = None
    link_note: Annotated[
        str | None, Field(alias="Link-Note", description="Shown to whoever opens the link.")
    ] = None
