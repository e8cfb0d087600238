"""The pages of pictures: a grid of thumbnails, and a page for each."""

from collections.abc import Sequence
from pathlib import PurePath
from typing import Annotated, Final
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Path, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel

from app.accounts.identity import Access
from app.bundles.entities import Bundle
from app.errors import NotFound
from app.links import targets
from app.objects.preconditions import Preconditions
from app.pictures.entities import MAX_NAME_LENGTH, NewPicture
from app.runtime import Runtime
from routers.http.forms.reading import check_fields, open_form, read_form
from routers.pages.link_choice import link_choice
from routers.pages.pictures.albums import OFFERED, Selection, album_choice
from routers.pages.pictures.facts import facts_of
from routers.pages.rendering.page import PageRoute, SignedIn, Visitor, render_app
from routers.pages.rendering.tiles import by_month, tile_of
from routers.pages.sending.selection import fields_of
from routers.v1.schemas.lists import CursorParam
from routers.v1.schemas.pictures import PictureFields
from routers.web.dependencies import RuntimeDep
from routers.web.urls import base_path

router = APIRouter(include_in_schema=False, route_class=PageRoute)

PAGE: Final = 60
_UNNAMED: Final = "Picture"

_Id = Annotated[UUID, Path()]


class _NoFields(BaseModel):
    """A form that has pictures only."""


@router.get("/pictures")
async def show(
    request: Request,
    visitor: SignedIn,
    runtime: RuntimeDep,
    cursor: CursorParam = None,
    album: UUID | None = None,
) -> Response:
    """Show the account's pictures, newest first; an album may be named that some are added to."""
    page = await runtime.pictures.page(visitor.access, PAGE, cursor)
    base, tier = base_path(request), visitor.identity.tier
    more = None
    if page.next_cursor is not None:
        query = {"cursor": page.next_cursor} | ({} if album is None else {"album": str(album)})
        more = f"{base}/pictures?{urlencode(query)}"
    albums = await _albums(runtime, visitor)
    return render_app(
        request,
        "pictures.html",
        visitor,
        place="pictures",
        months=by_month([tile_of(base, picture) for picture in page.items]),
        more=more,
        is_first=cursor is None,
        tier=tier,
        can_link=targets.allows("picture", tier),
        albums=albums,
        album=next((one for one in albums if one.uuid == str(album)), None),
        **link_choice(runtime.settings, tier),
        **album_choice(tier),
    )


@router.post("/pictures")
async def take(request: Request, visitor: SignedIn, runtime: RuntimeDep) -> Response:
    """Keep pictures from the form that works without scripts, each under its file's name."""
    async with open_form(request, visitor.access, _NoFields, file="img", noun="picture") as form:
        async for file in form.files():
            name = check_fields(PictureFields, {"name": _name_of(file.name)}).name

            async def describe(name: str = name) -> NewPicture:
                return NewPicture(name)

            await runtime.pictures.create(visitor.access, file.body, describe)
    return RedirectResponse(f"{base_path(request)}/pictures", 303)


@router.post("/pictures/delete")
async def remove(request: Request, visitor: SignedIn, runtime: RuntimeDep) -> Response:
    """Delete the pictures that are selected; those that are gone already are no error."""
    fields = fields_of(await request.body())
    for picture in check_fields(Selection, {"id": fields.get("id", [])}).id:
        await _remove(runtime, visitor.access, str(picture))
    return RedirectResponse(f"{base_path(request)}/pictures", 303)


@router.get("/pictures/{id}")
async def show_one(
    id: _Id,  # noqa: A002 - in the URL
    request: Request,
    visitor: SignedIn,
    runtime: RuntimeDep,
) -> Response:
    """Show a picture, what there is to know of it, and ways to those beside it."""
    picture, newer, older = await runtime.pictures.find_with_neighbours(visitor.access, str(id))
    return render_app(
        request,
        "picture.html",
        visitor,
        place="pictures",
        tile=tile_of(base_path(request), picture),
        facts=facts_of(picture.facts.exif),
        newer=newer,
        older=older,
        tier=visitor.identity.tier,
        can_link=targets.allows("picture", visitor.identity.tier),
    )


@router.post("/pictures/{id}")
async def rename(
    id: _Id,  # noqa: A002 - in the URL
    request: Request,
    visitor: SignedIn,
    runtime: RuntimeDep,
) -> Response:
    """Rename a picture, and show it again."""
    form = await read_form(request, PictureFields)
    await runtime.pictures.rename(visitor.access, str(id), form.name, Preconditions())
    return RedirectResponse(f"{base_path(request)}/pictures/{id}", 303)


async def _albums(runtime: Runtime, visitor: Visitor) -> Sequence[Bundle]:
    """Return the albums that pictures may be added to, as far as they are offered."""
    if not targets.allows("picture", visitor.identity.tier):
        return []
    page = await runtime.bundles.albums(visitor.access, OFFERED, None)
    return [album.bundle for album in page.items]


async def _remove(runtime: Runtime, access: Access, uuid: str) -> None:
    try:
        await runtime.pictures.remove(access, uuid, Preconditions())
    except NotFound:
        return


def _name_of(filename: str | None) -> str:
    """Return the name of a picture that comes as a file: that without its extension."""
    return PurePath(filename or _UNNAMED).stem[:MAX_NAME_LENGTH] or _UNNAMED
