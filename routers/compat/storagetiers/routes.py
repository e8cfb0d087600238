"""storagetiers: pictures in the sizes of their owner's tier, and expiring links to them."""

import base64
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import JSONResponse, Response

from app.accounts.identity import Access
from app.errors import CredentialNeeded, InvalidRequest, ProblemError, Unauthorized
from app.links.entities import Timelink, Wanted
from app.runtime import Runtime
from routers.compat import NO_CREDENTIAL
from routers.compat.storagetiers.schemas import (
    StoragetiersAccess,
    StoragetiersError,
    StoragetiersFieldErrors,
    StoragetiersLink,
    StoragetiersLinkRequest,
    StoragetiersLogin,
    StoragetiersPicture,
    StoragetiersRefresh,
    StoragetiersShared,
    StoragetiersTokens,
    StoragetiersUpload,
    original_path,
)
from routers.http.arrays import BATCH, send_array
from routers.http.downloads import send_content
from routers.http.forms.reading import read_fields
from routers.http.forms.schemas import describe_any, multipart_body
from routers.v1.forms import pictures as picture_forms
from routers.v1.schemas.pictures import PictureForm
from routers.web import logins
from routers.web.dependencies import Requires, RuntimeDep
from routers.web.downloadable import downloadable
from routers.web.forwarded import address_of
from routers.web.openapi import binary_answer, errors_as
from routers.web.route import HoldallRoute
from routers.web.urls import locate

CLIENT: Final = "storagetiers"
"""Which contract's sessions these are: another's refresh tokens are no good here."""
_TO_PICTURES: Final = Wanted(target_type="picture")


class StoragetiersRoute(HoldallRoute):
    """A route whose errors are ``{"detail": …}``, or for a bad field ``{"<field>": ["…"]}``."""

    def answer_problem(self, request: Request, error: ProblemError) -> Response:
        """Return the answer to an error."""
        del request
        complaints = _complaints(error)
        is_invalid = error.status == InvalidRequest.status or complaints
        status = 400 if is_invalid else error.status
        detail = NO_CREDENTIAL if isinstance(error, CredentialNeeded) else error.detail
        return JSONResponse(complaints or {"detail": detail}, status, error.headers)


def _complaints(error: ProblemError) -> dict[str, Any]:
    """Return the errors of each field of the body."""
    complaints: dict[str, Any] = {}
    for wrong in error.errors:
        where, *field = wrong["loc"]
        if where == "body" and field:
            complaints.setdefault(str(field[0]), []).append(wrong["msg"])
    return complaints


router = APIRouter(prefix="/api", tags=["storagetiers"], route_class=StoragetiersRoute)

Reading = Annotated[Access, Depends(Requires("pictures:read"))]
Writing = Annotated[Access, Depends(Requires("pictures:write"))]
Sharing = Annotated[Access, Depends(Requires("timelinks:write"))]
Shared = Annotated[Access, Depends(Requires("timelinks:read"))]
PictureId = Annotated[UUID, Path(description="The picture's id.")]
_errors = partial(errors_as, StoragetiersError)


def _errors_of_fields(*statuses: int) -> dict[int | str, dict[str, Any]]:
    declared = _errors(400, 408, 413, 415, 503, *statuses)
    declared[400]["model"] = StoragetiersError | StoragetiersFieldErrors
    return declared


@router.post(
    "/token/",
    operation_id="storagetiers_token",
    responses=_errors_of_fields(401, 429, 507),
    openapi_extra=describe_any(StoragetiersLogin),
)
async def token(request: Request, response: Response, runtime: RuntimeDep) -> StoragetiersTokens:
    """Log in with user name and password.

    The answer's `access` goes into `Authorization: Bearer …`.
    """
    given = await read_fields(request, StoragetiersLogin)
    login = await logins.authenticate_program(request, runtime, given.username, given.password)
    tokens = await logins.begin(request, response, runtime, login, client=CLIENT)
    return StoragetiersTokens(refresh=tokens.refresh_token, access=tokens.access_token)


@router.post(
    "/token/refresh/",
    operation_id="storagetiers_refresh",
    responses=_errors_of_fields(401),
    openapi_extra=describe_any(StoragetiersRefresh),
)
async def refresh(request: Request, runtime: RuntimeDep) -> StoragetiersAccess:
    """Get a new access token; the refresh token stays valid.

    It works only with a token that this contract gave.
    """
    given = await read_fields(request, StoragetiersRefresh)
    try:
        access = await runtime.logins.renew(given.refresh, client=CLIENT)
    except Unauthorized as error:
        raise Unauthorized("Token is invalid or expired", error="invalid_token") from error
    return StoragetiersAccess(access=access)


@router.get(
    "/pictures",
    operation_id="storagetiers_list",
    response_model=list[StoragetiersPicture],
    responses=_errors(401, 403, 503),
)
async def list_pictures(runtime: RuntimeDep, access: Reading) -> Response:
    """List all pictures, newest first.

    `urls` is a text, which holds the list as Python writes it.
    """
    owner = await access.identity()

    async def read(cursor: str | None) -> tuple[Sequence[StoragetiersPicture], str | None]:
        page = await runtime.pictures.page(access, BATCH, cursor)
        items = [StoragetiersPicture.of(item.uuid, item.name, owner) for item in page.items]
        return items, page.next_cursor

    return await send_array(read)


@router.post(
    "/pictures",
    status_code=201,
    operation_id="storagetiers_upload",
    responses=_errors_of_fields(401, 403, 409, 507),
    openapi_extra=multipart_body(PictureForm),
)
async def upload(
    request: Request, response: Response, runtime: RuntimeDep, access: Writing
) -> StoragetiersUpload:
    """Upload a picture.

    It is judged by its content; anything that is no picture is a 400 with the field's errors.
    """
    owner = await access.identity()
    picture = await picture_forms.create(request, runtime, access)
    img = original_path(picture.uuid)
    locate(request, response, img)
    return StoragetiersUpload.of(picture.uuid, picture.name, owner, img=img)


@router.get(
    "/pictures/shared/",
    operation_id="storagetiers_list_shared",
    response_model=list[StoragetiersShared],
    responses=_errors(401, 403, 503),
)
async def list_shared(runtime: RuntimeDep, access: Shared) -> Response:
    """List the links to pictures, newest first; ended links stay for 30 days.

    `time_left` is in whole seconds, or `Expired`.
    """
    owner = await access.identity()

    async def read(cursor: str | None) -> tuple[Sequence[StoragetiersShared], str | None]:
        page = await runtime.links.page(access, BATCH, cursor, _TO_PICTURES)
        items = [
            StoragetiersShared.of(link, url, owner, time_left=_time_left(link))
            for link in page.items
            if link.is_plain and link.target_id is not None
            if (url := _url(runtime, link)) is not None
        ]
        return items, page.next_cursor

    return await send_array(read)


def _time_left(link: Timelink) -> int | str:
    return "Expired" if link.time_left is None or not link.is_active else link.time_left


def _url(runtime: Runtime, link: Timelink) -> str | None:
    """Return the path of a link, with its 128-bit token in the form of a UUID.

    None if the signing key that it was made by is not set any more.
    """
    token = runtime.links.token_of(link.ref)
    if token is None:
        return None
    return f"/api/timelink/{UUID(bytes=base64.urlsafe_b64decode(token + '=='))}"


@downloadable(
    router,
    "/picture/{id:uuid}",
    get="storagetiers_get_original",
    head="storagetiers_head_original",
    errors=_errors,
    statuses=(401, 403, 404, 412, 503),
)
async def get_original(
    id: PictureId,  # noqa: A002 - on the wire
    request: Request,
    runtime: RuntimeDep,
    access: Reading,
) -> Response:
    """Get a picture as it was uploaded, where its owner's tier allows it.

    Where it does not, this is a 403.
    """
    return await picture_forms.send_original(request, runtime, access, str(id), inline=True)


@router.post(
    "/picture/{id:uuid}",
    operation_id="storagetiers_share",
    responses=_errors_of_fields(401, 403, 404, 507),
    openapi_extra=describe_any(StoragetiersLinkRequest),
)
async def share(
    id: PictureId,  # noqa: A002 - on the wire
    request: Request,
    runtime: RuntimeDep,
    access: Sharing,
) -> StoragetiersLink:
    """Create a link to a picture, which expires.

    The owner's tier must allow links and the original.
    """
    owner = await access.identity()
    asked = await read_fields(request, StoragetiersLinkRequest)
    link = await runtime.links.create(access, "picture", str(id), asked.time, originals=True)
    url = _url(runtime, link)
    assert url is not None  # it has just been made
    return StoragetiersLink.of(link, url, owner)


@router.head(
    "/picture/{id:uuid}/{height:number}",
    operation_id="storagetiers_head_thumbnail",
    response_class=Response,
    responses=_errors(401, 403, 404, 412, 503),
)
@router.get(
    "/picture/{id:uuid}/{height:number}",
    operation_id="storagetiers_get_thumbnail",
    response_class=Response,
    responses=binary_answer() | _errors(400, 401, 403, 404, 412, 416, 503),
)
async def get_thumbnail(
    id: PictureId,  # noqa: A002 - on the wire
    height: Annotated[int, Path(description="In pixels, one of the owner's tier.")],
    request: Request,
    runtime: RuntimeDep,
    access: Reading,
) -> Response:
    """Get a thumbnail in one of the heights of the owner's tier.

    A height that the tier does not have is a 403.
    """
    return await picture_forms.send_thumbnail(
        request, runtime, access, str(id), height, inline=True
    )


@downloadable(
    router,
    "/timelink/{uuid:uuid}",
    get="storagetiers_get_shared",
    head="storagetiers_head_shared",
    errors=_errors,
    statuses=(404, 412, 429, 503),
)
async def get_shared(
    uuid: Annotated[UUID, Path(description="The last segment of the link's path.")],
    request: Request,
    runtime: RuntimeDep,
) -> Response:
    """Get the picture of a link, without a login.

    A link with a count or a password, and one that has ended, is a 404.
    """
    token = base64.urlsafe_b64encode(uuid.bytes).rstrip(b"=").decode()
    async with runtime.links.visit(address_of(request)):
        link = await runtime.links.open_plain(token, target_type="picture")
        image_format = link.target.content_type.removeprefix("image/")
        headers = picture_forms.picture_headers(link.target.name, image_format)
        headers = replace(headers, cache_control="no-store")
        return await send_content(request, runtime, link.content, headers, inline=True)
