"""Members of bundles: files that these own, and things that they point to."""

from collections.abc import AsyncGenerator
from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from app.accounts.identity import Access
from app.bundles import entities
from app.bundles.entities import NewMember
from app.objects.file_names import MAX_PATH_LENGTH
from app.objects.uploads import Body
from app.runtime import Runtime
from app.uploads.entities import Kind
from routers.http.downloads import DownloadHeaders, send_content
from routers.http.forms.reading import (
    NoFile,
    check_fields,
    media_type_of,
    open_form,
    read_json_fields,
)
from routers.http.forms.schemas import form_or_raw
from routers.http.headers import media_type
from routers.v1 import answers
from routers.v1.forms import raw as raw_forms
from routers.v1.schemas.bundles import Member as MemberAnswer
from routers.v1.schemas.bundles import (
    MemberForm,
    MemberList,
    MemberName,
    Pointer,
)
from routers.v1.schemas.files import UNNAMED
from routers.v1.schemas.lists import DEFAULT_LIMIT, CursorParam, Limit
from routers.v1.uploads import by_draft
from routers.web.dependencies import Requires, RuntimeDep
from routers.web.downloadable import downloadable
from routers.web.problems import problems
from routers.web.route import HoldallRoute

router = APIRouter(prefix="/v1/bundles", tags=["bundles"], route_class=HoldallRoute)

Reading = Annotated[Access, Depends(Requires("files:read"))]
Writing = Annotated[Access, Depends(Requires("files:write"))]

Item = Annotated[UUID, Path(description="The member's id.")]

_JSON: Final = "application/json"
_ITEMS: Final = form_or_raw(MemberForm)
_ITEMS["requestBody"]["content"][_JSON] = {"schema": Pointer.model_json_schema()}


class _Name(BaseModel):
    name: MemberName


class _NoFields(BaseModel):
    """The fields of a form beside its files: none."""


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
    """Add files to a bundle, which then owns them, or let it refer to things that exist.

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
