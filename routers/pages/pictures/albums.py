"""Albums: bundles that point to pictures, made of those that are selected on their page."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Annotated, Any, Final
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, BeforeValidator, Field

from app.accounts.identity import Tier
from app.bundles.entities import MAX_MEMBERS, Member, NewBundle
from app.bundles.entities import Bundle as BundleEntity
from app.errors import NotFound
from app.links import targets
from app.links.bounds import usual_lifetime
from app.runtime import Runtime
from routers.http.bodies import read_small
from routers.http.forms.reading import check_fields, read_form
from routers.pages.link_choice import within
from routers.pages.rendering.page import PageRoute, SignedIn, Visitor, render_app
from routers.pages.rendering.tiles import Tile, cover_of, tile_of
from routers.pages.sending.selection import fields_of
from routers.v1.schemas.bundles import Bundle, BundleChange
from routers.v1.schemas.files import ExpiresIn
from routers.v1.schemas.lists import CursorParam
from routers.v1.schemas.pictures import PictureName
from routers.web.dependencies import RuntimeDep
from routers.web.urls import base_path, own_link

router = APIRouter(include_in_schema=False, route_class=PageRoute)

OFFERED: Final = 50
"""Albums that are offered for further pictures: the newest."""

_UNNAMED: Final = "Album"
_ON_PAGE: Final = 60  # albums
_PICTURES: Final = 200
_FORM: Final = 64 * MAX_MEMBERS  # bytes
_DAY: Final = 86_400  # seconds
_TIMES: Final = (_DAY, 7 * _DAY, 30 * _DAY, 365 * _DAY)
_USUAL: Final = 30 * _DAY


def _none_if_empty(value: object) -> object:
    return None if value == "" else value  # a browser sends fields that nobody filled in


class Selection(BaseModel):
    """What is selected: pictures, or members of an album."""

    id: Annotated[list[UUID], Field(min_length=1, max_length=MAX_MEMBERS)]


class AlbumForm(Selection):
    """What becomes of the pictures that are selected: a new album, or a part of one."""

    album: Annotated[UUID | None, BeforeValidator(_none_if_empty)] = None
    name: PictureName = _UNNAMED
    expires_in: Annotated[ExpiresIn | None, BeforeValidator(_none_if_empty)] = None
    originals: bool = False


class AlbumChange(BaseModel):
    """The form that changes an album; an empty field of the link means none."""

    name: str
    expires_in: str = ""
    max_downloads: str = ""
    password: str = ""
    unprotected: bool = False
    note: str = ""
    originals: bool = False

    def checked(self, album: BundleEntity) -> BundleChange:
        """Return the change of an album; raises `RequestValidationError`."""
        fields: dict[str, Any] = {"name": self.name, "originals": self.originals}
        fields["note"] = self.note.strip() or None
        if self.expires_in:
            fields["expires_in"] = self.expires_in
        if self.password or self.unprotected:
            fields["password"] = self.password or None
        if self.max_downloads != str(album.sharing.max_downloads or ""):  # it may be used up by now
            fields["max_downloads"] = self.max_downloads or None
        return check_fields(BundleChange, fields)


@dataclass(frozen=True, slots=True)
class Card:
    """An album in the list."""

    album: Bundle
    cover: str | None
    """Where its first picture is to be seen."""


def album_choice(tier: Tier) -> dict[str, Any]:
    """Return what templates of forms for albums need: how long one may live, and usually does."""
    usual = usual_lifetime(tier, _USUAL)
    return {"album_times": sorted(within(_TIMES, tier.max_lifetime) | {usual}), "usual_time": usual}


@router.get("/pictures/albums")
async def show_albums(
    request: Request, visitor: SignedIn, runtime: RuntimeDep, cursor: CursorParam = None
) -> Response:
    """List the account's albums, newest first."""
    page = await runtime.bundles.albums(visitor.access, _ON_PAGE, cursor)
    base, tier = base_path(request), visitor.identity.tier
    return render_app(
        request,
        "albums.html",
        visitor,
        place="pictures",
        cards=[
            Card(
                Bundle.of(one.bundle, own_link(request, runtime, one.bundle.link)),
                cover_of(base, tier, one.cover),
            )
            for one in page.items
        ],
        more=page.next_cursor and urlencode({"cursor": page.next_cursor}),
        can_link=targets.allows("picture", tier),
    )


@router.post("/pictures/albums")
async def share_album(request: Request, visitor: SignedIn, runtime: RuntimeDep) -> Response:
    """Make an album of the pictures that are selected, or add them to one, and show it."""
    form = check_fields(AlbumForm, await _fields(request, AlbumForm))
    pictures = [str(picture) for picture in form.id]
    if form.album is not None:
        await runtime.bundles.add_pictures(visitor.access, str(form.album), pictures)
        return _to_album(request, str(form.album))
    usual = usual_lifetime(visitor.identity.tier, _USUAL)
    new = NewBundle(form.name, form.expires_in or usual, originals=form.originals)
    things = [("picture", picture) for picture in pictures]
    album = await runtime.bundles.create_of_things(visitor.access, new, things)
    return _to_album(request, album.uuid)


@router.get("/pictures/albums/{id}")
async def show_album(
    id: UUID,  # noqa: A002 - in the URL
    request: Request,
    visitor: SignedIn,
    runtime: RuntimeDep,
    cursor: CursorParam = None,
) -> Response:
    """Show an album to its owner: its link, its pictures, and what can be changed."""
    bundle = await runtime.bundles.find(visitor.access, str(id))
    page = await runtime.bundles.page_of_members(visitor.access, bundle.uuid, _PICTURES, cursor)
    tier = visitor.identity.tier
    return render_app(
        request,
        "album.html",
        visitor,
        place="pictures",
        album=Bundle.of(bundle, own_link(request, runtime, bundle.link)),
        tiles=await _tiles(request, runtime, visitor, bundle.uuid, page.items),
        more=page.next_cursor and urlencode({"cursor": page.next_cursor}),
        can_link=targets.allows("picture", tier),
        tier=tier,
        **album_choice(tier),
    )


@router.post("/pictures/albums/{id}")
async def change_album(
    id: UUID,  # noqa: A002 - in the URL
    request: Request,
    visitor: SignedIn,
    runtime: RuntimeDep,
) -> Response:
    """Change an album and what its link allows, and show it again."""
    form = await read_form(request, AlbumChange)
    album = await runtime.bundles.find(visitor.access, str(id))
    await runtime.bundles.change(visitor.access, album.uuid, form.checked(album).facts())
    return _to_album(request, album.uuid)


@router.post("/pictures/albums/{id}/remove")
async def take_out(
    id: UUID,  # noqa: A002 - in the URL
    request: Request,
    visitor: SignedIn,
    runtime: RuntimeDep,
) -> Response:
    """Take those that are selected out of an album; the pictures stay."""
    selected = check_fields(Selection, await _fields(request, Selection))
    await runtime.bundles.take_out(visitor.access, str(id), [str(one) for one in selected.id])
    return _to_album(request, str(id))


@router.post("/pictures/albums/{id}/end")
async def end(
    id: UUID,  # noqa: A002 - in the URL
    request: Request,
    visitor: SignedIn,
    runtime: RuntimeDep,
) -> Response:
    """Delete an album, and end its link; the pictures stay."""
    with suppress(NotFound):  # it was pressed twice
        await runtime.bundles.remove(visitor.access, str(id))
    return RedirectResponse(f"{base_path(request)}/pictures/albums", 303)


async def _fields(request: Request, form: type[BaseModel]) -> dict[str, Any]:
    """Return the fields of a form about what is selected: ``id`` with all of its values."""
    fields = fields_of(await read_small(request, _FORM))
    single = {name: fields[name][0] for name in form.model_fields if name in fields}
    return single | {"id": fields.get("id", [])}


async def _tiles(
    request: Request, runtime: Runtime, visitor: Visitor, album: str, members: Sequence[Member]
) -> list[Tile]:
    """Return the tiles of an album's members, as far as these are pictures that are there."""
    targeted = [(member, member.target) for member in members if member.target is not None]
    found = await runtime.pictures.find_all(visitor.access, [target for _, target in targeted])
    base = base_path(request)
    return [
        replace(
            tile_of(base, found[target]),
            value=member.uuid,
            removal=f"/v1/bundles/{album}/items/{member.uuid}",
        )
        for member, target in targeted
        if target in found
    ]


def _to_album(request: Request, uuid: str) -> Response:
    return RedirectResponse(f"{base_path(request)}/pictures/albums/{uuid}", 303)
