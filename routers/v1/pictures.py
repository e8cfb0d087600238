"""Pictures: originals, and thumbnails of the heights that their owner's tier has."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from app import clock
from app.accounts.identity import Access
from app.pictures import rows as pictures
from routers.http import ranges
from routers.v1 import picture_forms
from routers.v1.schemas.lists import DEFAULT_LIMIT, CursorParam, Limit
from routers.v1.schemas.pictures import Height, Picture, PictureChange, PictureForm, PictureList
from routers.web.dependencies import Requires, RuntimeDep
from routers.web.downloadable import downloadable
from routers.web.openapi import multipart_body
from routers.web.problems import problems
from routers.web.route import HoldallRoute, direct
from routers.web.urls import locate

router = APIRouter(prefix="/v1/pictures", tags=["pictures"], route_class=HoldallRoute)

Reading = Annotated[Access, Depends(Requires("pictures:read"))]
Writing = Annotated[Access, Depends(Requires("pictures:write"))]


@router.post(
    "",
    status_code=201,
    operation_id="pictures_create",
    response_model=Picture,
    responses=problems(400, 401, 403, 408, 409, 413, 415, 422, 503, 507),
    openapi_extra=multipart_body(PictureForm),
)
async def create(
    request: Request, response: Response, runtime: RuntimeDep, access: Writing
) -> Picture:
    """Store a picture, once it has been seen that it can be decoded."""
    picture = await picture_forms.create(request, runtime, access)
    locate(request, response, f"/v1/pictures/{picture.uuid}")
    return Picture.of(picture)


@router.get(
    "",
    operation_id="pictures_list",
    response_model=PictureList,
    responses=problems(400, 401, 403, 422, 503),
)
async def list_pictures(
    access: Reading, limit: Limit = DEFAULT_LIMIT, cursor: CursorParam = None
) -> PictureList:
    """List pictures, newest first."""
    page = await access.read(pictures.page, limit, cursor)
    items = [Picture.of(picture) for picture in page.items]
    return PictureList(items=items, next_cursor=page.next_cursor)


@router.get(
    "/{id}",
    operation_id="pictures_get",
    response_model=Picture,
    responses=problems(401, 403, 404, 422, 503),
)
async def get(id: UUID, access: Reading) -> Picture:  # noqa: A002 - on the wire
    """Get what is known of a picture."""
    return Picture.of(await access.read(pictures.find, str(id)))


@router.patch(
    "/{id}",
    operation_id="pictures_update",
    response_model=Picture,
    responses=problems(400, 401, 403, 404, 412, 413, 422, 503, 507),
)
async def update(id: UUID, body: PictureChange, request: Request, access: Writing) -> Picture:  # noqa: A002 - on the wire
    """Rename a picture."""
    conditions = ranges.write_preconditions(request.headers)
    picture = await access.write(pictures.rename, str(id), body.name, conditions, clock.now())
    return Picture.of(picture)


@router.delete(
    "/{id}",
    status_code=204,
    operation_id="pictures_delete",
    responses=problems(400, 401, 403, 404, 412, 422, 503),
)
async def delete(id: UUID, request: Request, runtime: RuntimeDep, access: Writing) -> None:  # noqa: A002 - on the wire
    """Delete a picture with its thumbnails, and end its links."""
    conditions = ranges.write_preconditions(request.headers)
    await access.write(pictures.remove, str(id), conditions, clock.now())
    runtime.sweep.wake()


@downloadable(
    router,
    "/{id}/original",
    get="pictures_get_original",
    head="pictures_head_original",
)
@direct
async def get_original(
    id: UUID,  # noqa: A002 - on the wire
    request: Request,
    runtime: RuntimeDep,
    access: Reading,
    *,
    inline: bool = False,
) -> Response:
    """Get a picture as it was uploaded, where the account's tier allows it."""
    return await picture_forms.send_original(request, runtime, access, str(id), inline=inline)


@downloadable(
    router,
    "/{id}/thumbnails/{height}",
    get="pictures_get_thumbnail",
    head="pictures_head_thumbnail",
)
@direct
async def get_thumbnail(
    id: UUID,  # noqa: A002 - on the wire
    height: Height,
    request: Request,
    runtime: RuntimeDep,
    access: Reading,
    *,
    inline: bool = False,
) -> Response:
    """Get a thumbnail of one of the heights that the account's tier has.

    It is upright, in sRGB and without metadata; never larger than the picture, so a low or very
    wide one has thumbnails that are lower. It is a JPEG, or a WebP where `Accept` names
    `image/webp` and gives it no less weight; transparency survives in WebP, and is white in JPEG.
    """
    return await picture_forms.send_thumbnail(
        request, runtime, access, str(id), height, inline=inline
    )
