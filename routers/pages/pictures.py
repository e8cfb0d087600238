"""The page of pictures: a grid of thumbnails that open larger ones."""

from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import parse_qs, urlencode
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field

from app.accounts.identity import Tier
from app.bundles.entities import NewBundle
from app.links import targets
from app.pictures import entities
from routers.http.forms.reading import check_fields
from routers.pages.link_choice import link_choice
from routers.pages.page import PageRoute, SignedIn, render_app
from routers.pages.send import show_sent
from routers.v1.schemas.lists import CursorParam
from routers.v1.schemas.pictures import Picture
from routers.web.dependencies import RuntimeDep
from routers.web.urls import base_path, own_link

router = APIRouter(include_in_schema=False, route_class=PageRoute)

PAGE: Final = 48
_ALBUM: Final = "Album"
_TILE: Final = 200  # px: thumbnails of this height are as sharp as the grid's tiles


@dataclass(frozen=True, slots=True)
class Tile:
    """A picture in the grid, with the paths of its images."""

    picture: Picture
    thumbnail: str | None
    large: str | None
    original: str | None


class Selection(BaseModel):
    """The pictures that are selected."""

    id: Annotated[list[UUID], Field(min_length=1)]


@router.get("/pictures")
async def show(
    request: Request, visitor: SignedIn, runtime: RuntimeDep, cursor: CursorParam = None
) -> Response:
    """Show the account's pictures, newest first."""
    page = await runtime.pictures.page(visitor.access, PAGE, cursor)
    tier = visitor.identity.tier
    more = None
    if page.next_cursor is not None:
        more = f"{base_path(request)}/pictures?{urlencode({'cursor': page.next_cursor})}"
    return render_app(
        request,
        "pictures.html",
        visitor,
        place="pictures",
        tiles=[_tile(base_path(request), picture) for picture in page.items],
        more=more,
        is_first=cursor is None,
        tier=tier,
        can_link=targets.allows("picture", tier),
        **link_choice(runtime.settings, tier),
    )


@router.post("/pictures/albums")
async def share_album(request: Request, visitor: SignedIn, runtime: RuntimeDep) -> Response:
    """Make a bundle of the pictures that are selected, and redirect to the page that shows it."""
    fields = parse_qs((await request.body()).decode("utf-8", "replace"))
    ids = check_fields(Selection, {"id": fields.get("id", [])}).id
    album = await runtime.bundles.create_of_things(
        visitor.access, NewBundle(_ALBUM), [("picture", str(picture)) for picture in ids]
    )
    return RedirectResponse(f"{base_path(request)}/pictures/albums/{album.uuid}", 303)


@router.get("/pictures/albums/{id}")
async def show_album(
    id: UUID,  # noqa: A002 - in the URL
    request: Request,
    visitor: SignedIn,
    runtime: RuntimeDep,
) -> Response:
    """Show the link of an album."""
    album = await runtime.bundles.find(visitor.access, str(id))
    link = own_link(request, runtime, album.link)
    return await show_sent(request, runtime, visitor.access, album, link)


def _tile(base: str, picture: entities.Picture) -> Tile:
    path = f"{base}/v1/pictures/{picture.uuid}"
    original = f"{path}/original?inline=1" if picture.tier.allow_original else None
    paths = [f"{path}/thumbnails/{height}?inline=1" for height in _heights(picture.tier)]
    return Tile(
        picture=Picture.of(picture),
        thumbnail=paths[0] if paths else original,
        large=paths[-1] if paths else original,
        original=original,
    )


def _heights(tier: Tier) -> list[int]:
    """Return the heights of the small and the large thumbnail."""
    heights = sorted(tier.heights)
    sharp = [height for height in heights if height >= _TILE]
    return [] if not heights else [(sharp or heights[-1:])[0], heights[-1]]
