"""Albums: bundles that point to the pictures selected on their page."""

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from pydantic import BaseModel, Field

from app.bundles.entities import NewBundle
from routers.http.forms.reading import check_fields
from routers.pages.page import PageRoute, SignedIn
from routers.pages.selection import fields_of, show_bundle
from routers.v1.schemas.pictures import PictureName
from routers.web.dependencies import RuntimeDep
from routers.web.urls import base_path

router = APIRouter(include_in_schema=False, route_class=PageRoute)

_UNNAMED: Final = "Album"


class Selection(BaseModel):
    """The pictures that are selected."""

    id: Annotated[list[UUID], Field(min_length=1)]


class NewAlbum(Selection):
    """The form of a new album."""

    name: PictureName = _UNNAMED


@router.post("/pictures/albums")
async def share_album(request: Request, visitor: SignedIn, runtime: RuntimeDep) -> Response:
    """Make a bundle of the pictures that are selected, and redirect to the page that shows it."""
    fields = fields_of(await request.body())
    name = fields.get("name", [_UNNAMED])[0]
    new = check_fields(NewAlbum, {"id": fields.get("id", []), "name": name})
    album = await runtime.bundles.create_of_things(
        visitor.access, NewBundle(new.name), [("picture", str(picture)) for picture in new.id]
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
    return await show_bundle(request, runtime, visitor, id)
