"""Bundles: ordered sets of things, each set under one link."""

from collections.abc import AsyncGenerator
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from app.accounts.identity import Access
from app.bundles import entities
from app.bundles.entities import NewMember
from app.errors import NotFound
from app.objects.file_names import MAX_PATH_LENGTH
from app.objects.uploads import Body
from app.runtime import Runtime
from app.uploads.entities import Kind
from routers.http.downloads import DownloadHeaders, send_content
from routers.http.form_schemas import form_schema
from routers.http.forms import (
    MULTIPART,
    NoFile,
    check_fields,
    media_type_of,
    open_form,
    read_json_fields,
)
from routers.http.headers import media_type
from routers.http.qr import Format, FormatParam, qr_answer, qr_response
from routers.v1 import answers, by_draft, raw_forms
from routers.v1.schemas.bundles import (
    Bundle,
    BundleChange,
    BundleList,
    BundleOptions,
    MemberForm,
    MemberList,
    MemberName,
    Pointer,
    WholeBundle,
)
from routers.v1.schemas.bundles import Member as MemberAnswer
from routers.v1.schemas.files import UNNAMED, FileState
from routers.v1.schemas.lists import DEFAULT_LIMIT, CursorParam, Limit
from routers.web.dependencies import Requires, RuntimeDep
from routers.web.downloadable import downloadable
from routers.web.problems import problems
from routers.web.route import HoldallRoute
from routers.web.urls import locate, own_link

router = APIRouter(prefix="/v1/bundles", tags=["bundles"], route_class=HoldallRoute)

Reading = Annotated[Access, Depends(Requires("files:read"))]
Writing = Annotated[Access, Depends(Requires("files:write"))]

Item = Annotated[UUID, Path(description="The member's id.")]

_JSON: Final = "application/json"
_FIRST: Final = 100
_ITEMS: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            _JSON: {"schema": Pointer.model_json_schema()},
            MULTIPART: {"schema": form_schema(MemberForm)},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


class _Name(BaseModel):
    name: MemberName


class _NoFields(BaseModel):
    """The fields of a form beside its files: none."""


@router.post(
    "",
    status_code=201,
    operation_id="bundles_create",
    response_model=WholeBundle,
    responses=problems(409),
)
async def create(
    body: BundleOptions,
    request: Request,
    response: Response,
    runtime: RuntimeDep,
    access: Writing,
) -> WholeBundle:
    """Make an empty bundle, to which files and other things are added.

    Its limit of downloads and its password are its link's. Against `MAX_FILES` it counts as one.
    """
    hashed = await runtime.bundles.hash_password(access, body.password)
    bundle = await runtime.bundles.create(access, body.new_bundle(hashed))
    locate(request, response, f"/v1/bundles/{bundle.uuid}")
    return WholeBundle.of(bundle, own_link(request, runtime, bundle.link), items=[])


@router.get(
    "",
    operation_id="bundles_list",
    response_model=BundleList,
    responses=problems(400),
)
async def list_bundles(
    request: Request,
    runtime: RuntimeDep,
    access: Reading,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorParam = None,
    state: Annotated[
        FileState | None, Query(description="Only those that expire, or only those kept.")
    ] = None,
) -> BundleList:
    """List bundles, newest first.

    Each comes with its link, where it has one, and with how many members it has.
    """
    expiring = None if state is None else state is FileState.EXPIRING
    page = await runtime.bundles.page(access, limit, cursor, expiring=expiring)
    items = [Bundle.of(bundle, own_link(request, runtime, bundle.link)) for bundle in page.items]
    return BundleList(items=items, next_cursor=page.next_cursor)


@router.get(
    "/{id}",
    operation_id="bundles_get",
    response_model=WholeBundle,
    responses=problems(404),
)
async def get(id: UUID, request: Request, runtime: RuntimeDep, access: Reading) -> WholeBundle:  # noqa: A002 - on the wire
    """Get a bundle with the first of its members.

    All of them are listed by its `items`.
    """
    return await _whole(request, runtime, access, str(id))


@router.patch(
    "/{id}",
    operation_id="bundles_update",
    response_model=WholeBundle,
    responses=problems(404),
)
async def update(
    id: UUID,  # noqa: A002 - on the wire
    body: BundleChange,
    request: Request,
    runtime: RuntimeDep,
    access: Writing,
) -> WholeBundle:
    """Change a bundle, or close it: then adding to it is a 409.

    Fields that are absent stay as they are; an `expires_in` of 0 keeps it.
    """
    await runtime.bundles.change(access, str(id), body.facts())
    return await _whole(request, runtime, access, str(id))


@router.delete(
    "/{id}",
    status_code=204,
    operation_id="bundles_delete",
    responses=problems(404),
)
async def delete(id: UUID, runtime: RuntimeDep, access: Writing) -> None:  # noqa: A002 - on the wire
    """Delete a bundle with the files that it owns, and end its links.

    What it only points to stays.
    """
    await runtime.bundles.remove(access, str(id))


@router.post(
    "/{id}/items",
    status_code=201,
    operation_id="bundles_add_items",
    response_model=MemberList,
    responses=problems(404, 408, 409),
    openapi_extra=_ITEMS,
)
async def add_items(
    id: UUID,  # noqa: A002 - on the wire
    request: Request,
    runtime: RuntimeDep,
    access: Writing,
) -> Response:
    """Add files to a bundle, which then owns them, or let it point to what is there already.

    A form brings any number of files, in fields named `file`: all are added, or none. A JSON object
    names a thing of the account. A body of any other type is one file, whose name is in
    `Content-Disposition` or `?name=`. A name that a member has already gets a number.
    """
    bundle = str(id)
    if media_type_of(request) == _JSON:
        pointer = await _pointer(request, access)
        member = await runtime.bundles.point(access, bundle, pointer.kind.value, pointer.id)
        return answers.members(request, [member])
    if await raw_forms.is_raw(request, access):
        return await raw_forms.create(request, runtime, access, Kind.FILE, bundle=bundle)
    return answers.members(request, await _add_form(request, runtime, access, bundle))


by_draft.announce(router, "/{id}/items", "bundles_options_items")


@router.get(
    "/{id}/items",
    operation_id="bundles_list_items",
    response_model=MemberList,
    responses=problems(400, 404),
)
async def list_items(
    id: UUID,  # noqa: A002 - on the wire
    runtime: RuntimeDep,
    access: Reading,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorParam = None,
    name: Annotated[
        str | None, Query(max_length=MAX_PATH_LENGTH, description="Only the member of this name.")
    ] = None,
) -> MemberList:
    """List the members of a bundle, in the order in which they were added.

    A thing that was deleted or has expired is no member any more.
    """
    page = await runtime.bundles.page_of_members(access, str(id), limit, cursor, name=name)
    items = [MemberAnswer.of(member) for member in page.items]
    return MemberList(items=items, next_cursor=page.next_cursor)


@router.get(
    "/{id}/items/{item}",
    operation_id="bundles_get_item",
    response_model=MemberAnswer,
    responses=problems(404),
)
async def get_item(
    id: UUID,  # noqa: A002 - on the wire
    item: Item,
    runtime: RuntimeDep,
    access: Reading,
) -> MemberAnswer:
    """Get a member of a bundle.

    An API key needs the scope of the thing that it points to.
    """
    return MemberAnswer.of(await runtime.bundles.find_member(access, str(id), str(item)))


@downloadable(
    router,
    "/{id}/items/{item}/content",
    get="bundles_get_item_content",
    head="bundles_head_item_content",
)
async def get_item_content(
    id: UUID,  # noqa: A002 - on the wire
    item: Item,
    request: Request,
    runtime: RuntimeDep,
    access: Reading,
    *,
    inline: bool = False,
) -> Response:
    """Get the bytes of a member, or a range of them.

    This counts as no download of the bundle's link.
    """
    member = await runtime.bundles.find_member(access, str(id), str(item))
    headers = DownloadHeaders(member.file_name, member.content_type)
    return await send_content(request, runtime, member.content, headers, inline=inline)


@router.delete(
    "/{id}/items/{item}",
    status_code=204,
    operation_id="bundles_delete_item",
    responses=problems(404),
)
async def delete_item(
    id: UUID,  # noqa: A002 - on the wire
    item: Item,
    runtime: RuntimeDep,
    access: Writing,
) -> None:
    """Take a member out of a bundle; a file that the bundle owns is deleted.

    What it only points to stays where it is.
    """
    await runtime.bundles.remove_member(access, str(id), str(item))


@router.get(
    "/{id}/qr",
    operation_id="bundles_get_qr",
    response_class=Response,
    responses=qr_answer() | problems(404),
)
async def get_qr(
    id: UUID,  # noqa: A002 - on the wire
    request: Request,
    runtime: RuntimeDep,
    access: Reading,
    image_format: FormatParam = Format.SVG,
) -> Response:
    """Get the QR code of a bundle's link; a bundle without a link has none.

    A kept bundle has no link until one is made: that is a 404.
    """
    bundle = await runtime.bundles.find(access, str(id))
    url = own_link(request, runtime, bundle.link)
    if url is None:
        raise NotFound("The bundle has no link")
    return await qr_response(url, image_format)


async def _whole(request: Request, runtime: Runtime, access: Access, uuid: str) -> WholeBundle:
    bundle = await runtime.bundles.find(access, uuid)
    page = await runtime.bundles.page_of_members(access, uuid, _FIRST, None)
    items = [MemberAnswer.of(member) for member in page.items]
    return WholeBundle.of(bundle, own_link(request, runtime, bundle.link), items=items)


async def _pointer(request: Request, access: Access) -> Pointer:
    await access.check()  # a stranger isn't told what is wrong
    return await read_json_fields(request, Pointer)


async def _add_form(
    request: Request, runtime: Runtime, access: Access, bundle: str
) -> list[entities.Member]:
    async with open_form(request, access, _NoFields) as form:

        async def sent() -> AsyncGenerator[tuple[NewMember, Body], None]:
            async for file in form.files():
                name = check_fields(_Name, {"name": file.name or UNNAMED}).name
                yield NewMember(name, media_type(file.content_type)), file.body

        members = await runtime.bundles.add_all(access, bundle, sent())
    if not members:
        raise NoFile("The form has no file", "file")
    return list(members)
