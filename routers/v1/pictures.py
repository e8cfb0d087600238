"""Pictures: originals, and thumbnails in the heights of their owner's tier."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from app.accounts.identity import Access
from app.uploads.entities import Kind
from routers.http import ranges
from routers.http.forms.schemas import form_or_raw
from routers.v1 import answers
from routers.v1.forms import pictures as picture_forms
from routers.v1.forms import raw as raw_forms
from routers.v1.schemas.lists import DEFAULT_LIMIT, CursorParam, Limit
from routers.v1.schemas.pictures import Height, Picture, PictureChange, PictureForm, PictureList
from routers.v1.uploads import by_draft
from routers.web.dependencies import Requires, RuntimeDep
from routers.web.downloadable import downloadable
from routers.web.problems import problems
from routers.web.route import HoldallRoute, direct

router = APIRouter(prefix="/v1/pictures", tags=["pictures"], route_class=HoldallRoute)

Reading = Annotated[Access, Depends(Requires("pictures:read"))]
Writing = Annotated[Access, Depends(Requires("pictures:write"))]


@router.post(
    "",
    status_code=201,
    operation_id="pictures_create",
    response_model=Picture,
    responses=problems(408, 409),
    openapi_extra=form_or_raw(PictureForm),
)
async def create(request: Request, runtime: RuntimeDep, access: Writing) -> Response:
    """Create a picture, which must be one that can be decoded.

    It is judged by its content, never by its name: JPEG, PNG, WebP, GIF, AVIF or HEIC. Anything
    else is a 415.
    A body of any other type than a form's is the picture itself, and `?name=` its name.
    """
    if await raw_forms.is_raw(request, access):
        return await raw_forms.create(request, runtime, access, Kind.PICTURE)
    return answers.made(request, runtime, await picture_forms.create(request, runtime, access))


by_draft.announce(router, "", "pictures_options")


@router.get(
    "",
    operation_id="pictures_list",
    response_model=PictureList,
    responses=problems(400),
)
async def list_pictures(
    runtime: RuntimeDep,
    access: Reading,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorParam = None,
) -> PictureList:
    """List pictures, newest first.

    Each comes with the paths of its thumbnails, and of the original where the tier allows it.
    """
    page = await runtime.pictures.page(access, limit, cursor)
    items = [Picture.of(picture) for picture in page.items]
    return PictureList(items=items, next_cursor=page.next_cursor)


@router.get(
    "/{id}",
    operation_id="pictures_get",
    response_model=Picture,
    responses=problems(404),
)
async def get(id: UUID, runtime: RuntimeDep, access: Reading) -> Picture:  # noqa: A002 - on the wire
    """Get a picture without its bytes.

    `urls` has the paths of its thumbnails, and of the original where the tier allows it.
    """
    return Picture.of(await runtime.pictures.find(access, str(id)))


@router.patch(
    "/{id}",
    operation_id="pictures_update",
    response_model=Picture,
    responses=problems(404, 412),
)
async def update(
    id: UUID,  # noqa: A002 - on the wire
    body: PictureChange,
    request: Request,
    runtime: RuntimeDep,
    access: Writing,
) -> Picture:
    """Rename a picture.

    Its paths and links stay as they are.
    """
    conditions = ranges.write_preconditions(request.headers)
    return Picture.of(await runtime.pictures.rename(access, str(id), body.name, conditions))


@router.delete(
    "/{id}",
    status_code=204,
    operation_id="pictures_delete",
    responses=problems(400, 404, 412),
)
async def delete(id: UUID, request: Request, runtime: RuntimeDep, access: Writing) -> None:  # noqa: A002 - on the wire
    """Delete a picture with its thumbnails, and end its links.

    Whoever has a link to it gets a 404 from then on.
    """
    conditions = ranges.write_preconditions(request.headers)
    await runtime.pictures.remove(access, str(id), conditions)


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
    """Get a picture as it was uploaded, where the account's tier allows it.

    Where it does not, this is a 403. Conditions and ranges are honoured.
    """
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
    """Get a thumbnail in one of the heights of the account's tier.

    It is upright, in sRGB and without metadata. It is never larger than the picture, and a very
    wide picture has lower thumbnails. It is a WebP where `Accept` names `image/webp` with no less
    weight than `image/jpeg`, else a JPEG, in which transparency becomes white.
    """
    return await picture_forms.send_thumbnail(
        request, runtime, access, str(id), height, inline=inline
    )
