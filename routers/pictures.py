"""Pictures: originals, and thumbnails of the heights that their owner's tier has."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from app import clock, images
from app.errors import FieldError, InvalidRequest
from app.images import Kind
from app.runtime import Runtime
from app.services import pictures
from app.services.identity import Access
from app.services.objects import Content, Received
from app.services.uploads import Body
from routers import ranges
from routers.accept import prefers
from routers.dependencies import Requires, RuntimeDep
from routers.forms import check_fields
from routers.openapi import binary_answer, multipart_body
from routers.problems import problems
from routers.schemas.lists import DEFAULT_LIMIT, CursorParam, Limit
from routers.schemas.pictures import (
    Height,
    Picture,
    PictureChange,
    PictureFields,
    PictureForm,
    PictureList,
)
from routers.transfer.multipart import Part, read_parts
from routers.transfer.outgoing import Named, send_content

router = APIRouter(prefix="/v1/pictures", tags=["pictures"])

Reading = Annotated[Access, Depends(Requires("pictures:read"))]
Writing = Annotated[Access, Depends(Requires("pictures:write"))]

_EXTENSIONS: Final = {"jpeg": (".jpg", ".jpeg")}


@router.post(
    "",
    status_code=201,
    operation_id="pictures_create",
    response_model=Picture,
    responses=problems(400, 401, 403, 408, 409, 413, 415, 422, 503, 507),
    openapi_extra=multipart_body(PictureForm),
)
async def create(request: Request, runtime: RuntimeDep, access: Writing) -> Picture:
    """Store a picture, once it has been seen that it can be decoded."""
    await access.check()  # a stranger's form isn't read
    fields: dict[str, Any] = {}
    received: Received | None = None
    async with AsyncExitStack() as stack:
        parts = await stack.enter_async_context(aclosing(read_parts(request)))
        async for part in parts:
            if part.name == "name":
                fields["name"] = await part.text()
                check_fields(PictureFields, fields)  # before anything is stored
            elif part.name == "img":
                if received is not None:
                    raise InvalidRequest("The form has two pictures")
                received = await stack.enter_async_context(_receive(runtime, access, part))
        if received is None:
            missing = FieldError(loc=["body", "img"], msg="there is none")
            raise InvalidRequest("The form has no picture", errors=[missing])
        name = check_fields(PictureFields, fields).name
        facts = await runtime.imaging.examine(_arrived(received))
        new = pictures.new_picture(name, facts)
        picture = await access.write(pictures.create, new, received, clock.now())
    return Picture.of(picture)


def _receive(runtime: Runtime, access: Access, part: Part) -> Any:  # noqa: ANN401 - a context
    body = Body(_of_a_picture(part.chunks()))
    return runtime.uploads.receive(access, body, kind=pictures.KIND, admit=pictures.admit)


async def _of_a_picture(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Pass a body on that begins as a picture does; another is refused before it is stored."""
    header: bytes | None = b""
    async for chunk in chunks:
        if header is None:
            yield chunk
        elif len(header) + len(chunk) < images.HEADER:
            header += chunk
        else:
            _check_header(header + chunk)
            yield header + chunk
            header = None
    if header is not None:
        _check_header(header)
        yield header


def _check_header(header: bytes) -> None:
    if images.kind_of(header[: images.HEADER]) is None:
        raise images.unsupported()


def _arrived(received: Received) -> Content:
    """Return what has been received as what can be read before it is committed."""
    held = received.reservation
    return Content(
        object_id=0 if held is None else held.object_id,
        key=None if held is None else held.key,
        size=received.size,
        sha256=received.sha256,
        modified_at=clock.now(),
        data=received.data,
    )


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


@router.head(
    "/{id}/original",
    operation_id="pictures_head_original",
    response_class=Response,
    responses=problems(401, 403, 404, 412, 422, 503),
)
@router.get(
    "/{id}/original",
    operation_id="pictures_get_original",
    response_class=Response,
    responses=binary_answer() | problems(401, 403, 404, 412, 416, 422, 503),
)
async def get_original(
    id: UUID,  # noqa: A002 - on the wire
    request: Request,
    runtime: RuntimeDep,
    access: Reading,
    *,
    inline: bool = False,
) -> Response:
    """Get a picture as it was uploaded, where the account's tier allows it."""
    picture = await access.read(pictures.find_original, str(id))
    named = _named(picture.name, picture.facts.format)
    return await send_content(request, runtime, picture.content, named, inline=inline)


@router.head(
    "/{id}/thumbnails/{height}",
    operation_id="pictures_head_thumbnail",
    response_class=Response,
    responses=problems(401, 403, 404, 412, 422, 503),
)
@router.get(
    "/{id}/thumbnails/{height}",
    operation_id="pictures_get_thumbnail",
    response_class=Response,
    responses=binary_answer() | problems(401, 403, 404, 412, 416, 422, 503),
)
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
    accept = request.headers.get("accept")
    kind: Kind = "webp" if prefers(accept, "image/webp", "image/jpeg") else "jpeg"
    thumbnail = await runtime.thumbnails.find(access, str(id), height, kind)
    named = replace(_named(thumbnail.name, kind), headers={"Vary": "Accept"})
    return await send_content(request, runtime, thumbnail.content, named, inline=inline)


def _named(name: str, kind: str) -> Named:
    """Return what bytes of a format are called that are shown under this name."""
    extensions = _EXTENSIONS.get(kind, (f".{kind}",))
    filename = name if name.lower().endswith(extensions) else name + extensions[0]
    return Named(filename, f"image/{kind}")
